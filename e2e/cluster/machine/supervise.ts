import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { backoffMs } from "@copepod/core/backoff";
import type { Say } from "./say.ts";

const restartBackoff = { firstMs: 100, maxMs: 5_000 };
/** One that ran so long starts anew with the shortest delay. */
const healthyAfterMs = 10_000;
const graceMs = 10_000;

export interface Supervised {
  readonly name: string;
  readonly command: readonly [program: string, ...args: string[]];
  readonly env?: Readonly<Record<string, string>>;
  readonly logFile: string;
}

/**
 * Runs a program as a child and again whenever it ends, until the signal; then ends it. For what must live as long as
 * its supervisor; see `startProcess` for what must outlive the one who started it.
 */
export async function keepRunning(
  { name, command, env = {}, logFile }: Supervised,
  { say, signal }: { readonly say: Say; readonly signal: AbortSignal },
): Promise<void> {
  await mkdir(dirname(logFile), { recursive: true, mode: 0o700 });
  for (let failures = 0; !signal.aborted; ) {
    const began = performance.now();
    await using log = await open(logFile, "a", 0o600);
    const [program, ...args] = command;
    const child = spawn(program, args, {
      stdio: ["ignore", log.fd, log.fd],
      env: { PATH: process.env.PATH, ...env },
    });
    const end = () => {
      child.kill("SIGTERM");
      const timer = globalThis.setTimeout(() => child.kill("SIGKILL"), graceMs);
      child.on("exit", () => clearTimeout(timer));
    };
    signal.addEventListener("abort", end);
    const how = await once(child, "exit").then(
      ([code, killedBy]) => String(killedBy ?? code),
      (error: unknown) => String(error),
    );
    signal.removeEventListener("abort", end);
    failures = performance.now() - began > healthyAfterMs ? 1 : failures + 1;
    if (signal.aborted) return;
    const delayMs = backoffMs(restartBackoff, failures, Math.random());
    say(`${name} ended (${how}), starts again in ${delayMs} ms`);
    await setTimeout(delayMs, undefined, { signal }).catch(() => undefined);
  }
}
