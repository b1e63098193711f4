import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Cluster } from "../cluster.ts";

const answerSeconds = 5;
/** A credential plug-in may have its own delays. */
const endMs = 15_000;

/**
 * Asks the API server, whatever its processes look like: one that is stopped or stuck runs, too.
 * @returns why it can't be used; undefined when it says that it is ready
 */
export async function whyNotReady({ binaries, signal }: Cluster, kubeconfig: string): Promise<string | undefined> {
  const { kubectl } = await binaries(["kubectl"]);
  const words = ["--kubeconfig", kubeconfig, `--request-timeout=${answerSeconds}s`, "get", "--raw", "/readyz"];
  try {
    // A credential plug-in of the kubeconfig may need anything of the person's environment.
    await promisify(execFile)(kubectl, words, { signal, timeout: endMs });
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return (error instanceof Error ? error.message : String(error)).trimEnd().split("\n").at(-1);
  }
}
