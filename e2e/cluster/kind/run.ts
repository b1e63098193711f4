import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { CopepodError } from "@copepod/core/errors";
import type { Say } from "../machine/say.ts";

const shownLines = 8;

export interface RunOptions {
  readonly signal: AbortSignal;
  /** Beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Gets each line of the error output, where programs tell how far they are. */
  readonly say?: Say;
}

/**
 * Runs a program to its end.
 * @returns its output
 * @throws CopepodError `internal` with the end of its error output
 */
export async function run(
  [program, ...args]: readonly [program: string, ...args: string[]],
  { signal, env = {}, cwd, say }: RunOptions,
): Promise<string> {
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
    signal,
    // Some programs put off a gentler one. What they leave, the next attempt removes.
    killSignal: "SIGKILL",
    ...(cwd === undefined ? {} : { cwd }),
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const output: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    lines.push(line);
    if (lines.length > shownLines) lines.shift();
    if (line.trim() !== "") say?.(line.trim());
  });
  const code = await ended;
  if (code === 0) return Buffer.concat(output).toString();
  throw new CopepodError("internal", `${program} ${args.join(" ")} failed (${code}): ${lines.join("\n")}`);
}
