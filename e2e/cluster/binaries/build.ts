import { existsSync } from "node:fs";
import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { takeLock } from "../machine/lock.ts";
import { prune } from "../machine/prune.ts";
import type { Say } from "../machine/say.ts";
import { runGo } from "./go.ts";
import { isWhole, writeManifest } from "./manifest.ts";
import { buildFlags, describeTool, finishedName, type ToolModule } from "./module.ts";

const sayEveryMs = 5_000;

export interface BuildOptions {
  /** Of finished programs. */
  readonly cache: string;
  readonly env: NodeJS.ProcessEnv;
  readonly say: Say;
  readonly signal: AbortSignal;
}

/**
 * Builds the programs of a tool, unless they are there and whole. Of several builders at once one builds and the others
 * wait; one that is killed leaves nothing that counts as finished.
 * @param names of all programs
 * @returns the folder that holds them
 */
export async function buildTool(
  tool: ToolModule,
  names: readonly string[],
  { cache, env, say, signal }: BuildOptions,
): Promise<string> {
  const finished = join(cache, await finishedName(tool));
  if (await isWhole(finished, names)) return finished;
  await mkdir(cache, { recursive: true });
  using _lock = await takeLock(join(cache, `${tool.name}.lock`), { say, signal, what: `the build of ${tool.name}` });
  if (await isWhole(finished, names)) return finished;
  if (existsSync(finished)) say(`what is in ${finished} is not whole: it is built again`);
  const draft = `${finished}.draft`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft);
  const began = performance.now();
  await compile(tool, draft, { env, say, signal });
  await nameAll(tool, names, draft);
  await writeManifest(draft);
  await rm(finished, { recursive: true, force: true });
  await rename(draft, finished);
  await prune(cache, { pattern: new RegExp(`^${tool.name}-[0-9a-f]{12}(\\.draft)?$`), keep: basename(finished) });
  say(`built ${tool.name} in ${Math.round((performance.now() - began) / 1_000)} s; kept in ${finished}`);
  return finished;
}

async function compile(
  tool: ToolModule,
  target: string,
  { env, say, signal }: Pick<BuildOptions, "env" | "say" | "signal">,
): Promise<void> {
  const { name, folder, packages } = tool;
  const flags = await buildFlags(tool);
  const paths = typeof packages === "string" ? [packages] : Object.values(packages);
  say(`building ${await describeTool(tool)} from Go modules, this once`);
  const downloads = throttled(say, (count) => `${name}: ${count} modules fetched so far`);
  const list = ["list", "-deps", ...flags, "-f", "{{if .Stale}}{{.ImportPath}} {{len .GoFiles}}{{end}}", ...paths];
  const stale = parseStale(await runGo(list, { folder, env, signal, onProgress: () => downloads.next() }));
  const progress = progressOf(stale);
  const lines = throttled(say, () => `${name}: ${progress.describe()}`);
  // Also without news there is a line: the last package and the linker take long.
  const timer = setInterval(() => lines.again(), sayEveryMs);
  const onProgress = (line: string) => {
    progress.built(line);
    lines.next();
  };
  try {
    const out = typeof packages === "string" ? join(target, name) : `${target}/`;
    await runGo(["build", "-v", "-o", out, ...flags, ...paths], { folder, env, signal, onProgress });
  } finally {
    clearInterval(timer);
  }
}

/** Gives each program its name: links to the one that is all of them, or the name of ours where Go's is another. */
async function nameAll({ name, packages }: ToolModule, names: readonly string[], folder: string): Promise<void> {
  if (typeof packages === "string") {
    for (const link of names) if (link !== name) await symlink(name, join(folder, link));
    return;
  }
  for (const [program, path] of Object.entries(packages)) {
    if (basename(path) !== program) await rename(join(folder, basename(path)), join(folder, program));
  }
}

/** Source files of each package that has to be compiled. */
const parseStale = (lines: readonly string[]): Map<string, number> =>
  new Map(
    lines
      .filter((line) => line !== "")
      .map((line) => {
        const [path = "", files = "0"] = line.split(" ");
        return [path, Number(files) + 1];
      }),
  );

interface Progress {
  built(path: string): void;
  describe(): string;
}

/** Time left, as if every source file took the same time. The linker is the last package. */
export function progressOf(stale: ReadonlyMap<string, number>, now: () => number = () => performance.now()): Progress {
  const began = now();
  const all = [...stale.values()].reduce((sum, files) => sum + files, 0);
  let done = 0;
  const seen = new Set<string>();
  return {
    built: (path) => {
      if (seen.has(path)) return;
      done += stale.get(path) ?? 0;
      if (stale.has(path)) seen.add(path);
    },
    describe: () => {
      const count = `${seen.size} of ${stale.size} packages`;
      // The last one is the program, and that takes the linker.
      if (stale.size - seen.size <= 1) return `${count}, linking`;
      if (done === 0) return count;
      return `${count}, about ${describeTime(((now() - began) / done) * (all - done))} left`;
    },
  };
}

function describeTime(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1_000));
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

/** Says the newest state at most once in a while. */
function throttled(say: Say, describe: (count: number) => string): { next(): void; again(): void } {
  let saidAt = performance.now();
  let count = 0;
  const again = () => {
    if (performance.now() - saidAt < sayEveryMs) return;
    saidAt = performance.now();
    say(describe(count));
  };
  return {
    again,
    next: () => {
      count++;
      again();
    },
  };
}
