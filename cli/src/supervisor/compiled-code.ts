import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { chmod, readdir } from "node:fs/promises";
import { setPriority } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { nodeFlags } from "@copepod/credential-proxy/node-flags";
import type { Logger } from "pino";
import type { HomeLayout } from "../home/layout.ts";
import { compileCache } from "./commands.ts";
import type { Mount } from "./sandbox/view.ts";

const timeoutMs = 60_000;
/** Sessions that start meanwhile go first. */
const lowestPriority = 19;

export interface CompilingInput {
  readonly home: Pick<HomeLayout, "cache" | "runnerCache">;
  readonly harnessesDir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly log: Pick<Logger, "warn">;
}

export interface Compiling extends AsyncDisposable {
  readonly done: Promise<void>;
}

/**
 * Has Node keep the code of proxy and runner compiled, so that a session's first start is as fast as its later ones. What
 * is kept already costs next to nothing. Ended when disposed.
 */
export function compileAhead({ home, harnessesDir, env, log }: CompilingInput): Compiling {
  const ending = new AbortController();
  const load = (program: string, folder: string, { flags = [], args = [] }: Arguments) =>
    runOnce([...flags, fileURLToPath(import.meta.resolve(program)), ...args], {
      env: { ...env, [compileCache]: folder },
      signal: ending.signal,
    });
  const done = load("@copepod/agent-image/runner/preload", home.runnerCache, { args: [harnessesDir] })
    .then(() => openForReading(home.runnerCache))
    .then(() => load("@copepod/credential-proxy/preload", home.cache, { flags: nodeFlags }))
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

interface Arguments {
  /** For Node. */
  readonly flags?: readonly string[];
  /** For the program. */
  readonly args?: readonly string[];
}

interface RunOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

async function runOnce(args: readonly string[], options: RunOptions): Promise<void> {
  const running = promisify(execFile)(process.execPath, args, {
    ...options,
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  if (running.child.pid !== undefined) setPriority(running.child.pid, lowestPriority);
  await running;
}

/** Node writes what it keeps for its own user only. */
async function openForReading(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries) await chmod(join(entry.parentPath, entry.name), entry.isFile() ? 0o644 : 0o755);
}

/** Node looks in a folder that carries its version and the user's id: what one user has compiled, shown to another. */
export function compiledCodeMounts(folder: string, from: number, to: number): readonly Mount[] {
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
