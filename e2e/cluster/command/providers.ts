import { join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import type { Provider } from "../cluster.ts";
import type { ClusterState } from "./state.ts";

/** @param cache folder of what is made once for all clusters */
export async function loadProvider({ provider, ownEngine }: ClusterState, cache: string): Promise<Provider> {
  switch (provider) {
    case "native":
      return (await import("../native/native.ts")).native;
    case "kind": {
      const { kindProvider } = await import("../kind/kind.ts");
      if (!ownEngine) return kindProvider((await import("../kind/engine.ts")).machineGround);
      return kindProvider((await import("../kind/own-engine.ts")).ownGround(join(cache, "kind")));
    }
    case "control-plane":
      return (await import("../control-plane/provider.ts")).controlPlaneProvider;
    case "kubeconfig":
      return (await import("./given.ts")).givenProvider;
  }
}

/** What a machine can do without being told how. */
export async function chooseState(signal: AbortSignal): Promise<ClusterState> {
  const { answers, chooseDocker } = await import("../kind/engine.ts");
  if (await answers({ env: chooseDocker }, signal)) return { provider: "kind", ownEngine: false };
  if (process.platform === "linux") return { provider: "native", ownEngine: false };
  throw new CopepodError(
    "unavailable",
    "no Docker engine answers, and a native cluster needs Linux: start Docker, or use --control-plane for the API server alone",
  );
}
