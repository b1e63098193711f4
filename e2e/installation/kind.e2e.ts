import { answers, chooseDocker } from "../cluster/kind/engine.ts";
import { gate } from "../cluster/testing/stage.ts";
import { tellInstallation } from "./tell.ts";

const hasEngine = await answers({ env: chooseDocker }, new AbortController().signal);
const can = hasEngine || (process.platform === "linux" && process.getuid?.() === 0);
const skip = gate(can, "a kind cluster needs a Docker engine, or root on Debian to make one");
const shareVolumes = "kind's volumes are folders of one node";
const killNode = "the programs of a node are killed on the native one";

if (hasEngine) tellInstallation({ provider: "kind", life: "dockerd" }, skip, { killNode, shareVolumes });
else {
  const enforcePolicies = "kindnetd, which enforces policies, is in the official node image only";
  const options = { provider: "kind", life: "dockerd", upOptions: ["--own-engine"] } as const;
  tellInstallation(options, skip, { killNode, shareVolumes, enforcePolicies });
}
