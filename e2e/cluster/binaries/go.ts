import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { CopepodError } from "@copepod/core/errors";

const shownErrorLines = 10;
/** A package that is built, or a module that is fetched. */
const progressLine = /^(go: (downloading|finding) .*|[^\s:]+)$/;
/** Those before 1.21 don't even know how versions are written today. */
const tooOldLine = /requires go >=|invalid go version/;

export interface GoOptions {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Each line of what Go tells about its progress. */
  readonly onProgress: (line: string) => void;
}

/**
 * Runs Go where the modules and flags of the person's own environment can't change what comes out.
 * @returns the lines of its output
 * @throws CopepodError `notFound` without a Go that is new enough, `unavailable` when it fails
 */
export async function runGo(
  args: readonly string[],
  { folder, env, signal, onProgress }: GoOptions,
): Promise<string[]> {
  const { GOOS: _, GOARCH: __, ...inherited } = env;
  const child = spawn("go", args, {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...inherited, CGO_ENABLED: "0", GOWORK: "off", GOFLAGS: "-mod=readonly -buildvcs=false" },
    signal,
    killSignal: "SIGINT",
  });
  const output: string[] = [];
  const complaints: string[] = [];
  createInterface(child.stdout).on("line", (line) => output.push(line));
  createInterface(child.stderr).on("line", (line) => {
    if (progressLine.test(line)) onProgress(line);
    else complaints.push(line);
  });
  const [code] = await once(child, "close").catch((error: unknown) => {
    throw isMissingProgram(error) ? new CopepodError("notFound", "Go is not on the PATH", { cause: error }) : error;
  });
  if (code === 0) return output;
  const tooOld = complaints.find((line) => tooOldLine.test(line));
  if (tooOld !== undefined) throw new CopepodError("notFound", `Go is too old (${tooOld})`);
  throw new CopepodError("unavailable", `go ${args[0]} failed: ${complaints.slice(0, shownErrorLines).join("\n")}`);
}

const isMissingProgram = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";
