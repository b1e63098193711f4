import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";

const inside = "COPEPOD_LOOPBACK_ONLY";
/** A namespace is born with its loopback down. */
const withLoopbackUp = ["-n", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];

/** Whether this process runs where there is no network but loopback. */
export const isLoopbackOnly = (): boolean => process.env[inside] === "1";

/** Why no such namespace can be made here; undefined when it can. */
export function loopbackOnlyGate(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "only root on Linux can make one";
  const { status, error, stderr } = spawnSync("unshare", [...withLoopbackUp, "true"], { encoding: "utf8" });
  return status === 0 ? undefined : `unshare and ip can't make one: ${error?.message ?? stderr.trim()}`;
}

/**
 * Runs this program again in a network namespace with nothing but loopback, in the place of this process: with its
 * arguments, its streams and its exit code. What reaches for the network there fails at once.
 */
export async function rerunLoopbackOnly(): Promise<void> {
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn("unshare", [...withLoopbackUp, ...again], {
    stdio: "inherit",
    env: { ...process.env, [inside]: "1" },
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => child.kill(signal));
  const [code] = await once(child, "exit");
  process.exitCode = typeof code === "number" ? code : 1;
}
