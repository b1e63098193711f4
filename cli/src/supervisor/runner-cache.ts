import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chmod, readdir } from "node:fs/promises";
import { setPriority } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Logger } from "pino";
import type { Mount } from "./sandbox/view.ts";

const fillTimeoutMs = 60_000;
/** Sessions that start meanwhile go first. */
const lowestPriority = 19;

export interface RunnerCacheInput {
  readonly harnessesDir: string;
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly log: Pick<Logger, "warn">;
}

export interface Filling extends AsyncDisposable {
  readonly done: Promise<void>;
}

/**
 * Has Node keep the runner's code compiled, so that a session's first start is as fast as its later ones. What is kept
 * already costs next to nothing. Ended when disposed.
 */
export function fillRunnerCache({ harnessesDir, folder, env, log }: RunnerCacheInput): Filling {
  const script = fileURLToPath(import.meta.resolve("@copepod/agent-image/runner/preload"));
  const ending = new AbortController();
  const filling = promisify(execFile)(process.execPath, [script, harnessesDir], {
    env: { ...env, NODE_COMPILE_CACHE: folder },
    timeout: fillTimeoutMs,
    killSignal: "SIGKILL",
    signal: ending.signal,
  });
  if (filling.child.pid !== undefined) setPriority(filling.child.pid, lowestPriority);
  const done = filling
    .then(() => openForReading(folder))
    .catch((error: unknown) => {
      if (!ending.signal.aborted) log.warn({ err: error }, "sessions start slower: their code is not kept compiled");
    });
  return {
    done,
    async [Symbol.asyncDispose]() {
      ending.abort();
      await done;
    },
  };
}

/** Node writes what it keeps for its own user only. */
async function openForReading(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) await chmod(join(entry.parentPath, entry.name), entry.isFile() ? 0o644 : 0o755);
}

/** Node looks in a folder that carries its version and the user's id: what one user has compiled, shown to another. */
export function runnerCacheMounts(folder: string, from: number, to: number): readonly Mount[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const ending = `-${from}`;
  return names
    .filter((name) => name.startsWith(`${process.version}-`) && name.endsWith(ending))
    .map((name) => ({
      kind: "read",
      path: join(folder, `${name.slice(0, -ending.length)}-${to}`),
      from: join(folder, name),
    }));
}
