import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { CopepodError } from "@copepod/core/errors";
import type { Cluster, Provider } from "../cluster.ts";

const answerTimeoutMs = 15_000;

/** A cluster that somebody else made, by the kubeconfig that leads to it. */
export const givenProvider = (kubeconfig: string): Provider => ({
  name: "kubeconfig",

  async up(cluster) {
    const problem = await problemOf(cluster, kubeconfig);
    if (problem === undefined) return;
    throw new CopepodError("clusterUnavailable", `the cluster of ${kubeconfig} does not answer: ${problem}`);
  },

  async down() {},

  async status(cluster) {
    const problem = await problemOf(cluster, kubeconfig);
    if (problem === undefined) return { state: "up", parts: [{ name: "API server", state: "running" }] };
    return { state: "broken", parts: [{ name: "API server", state: "ended", detail: problem }] };
  },
});

/** @returns undefined when the API server says that it is ready */
async function problemOf({ binaries, signal }: Cluster, kubeconfig: string): Promise<string | undefined> {
  const { kubectl } = await binaries(["kubectl"]);
  try {
    // A credential plug-in of the kubeconfig may need anything of the person's environment.
    await promisify(execFile)(kubectl, ["--kubeconfig", kubeconfig, "get", "--raw", "/readyz"], {
      signal,
      timeout: answerTimeoutMs,
    });
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return (error instanceof Error ? error.message : String(error)).trimEnd().split("\n").at(-1);
  }
}
