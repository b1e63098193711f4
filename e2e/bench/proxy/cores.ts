import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";

const taskset = "/usr/bin/taskset";

/** Whether what is measured can have a processor for itself. */
export const hasOwnCore = availableParallelism() > 1 && existsSync(taskset);

/** Load and upstream, which are children of this process, share the first processor. */
export function takeFirstCore(): void {
  if (hasOwnCore) execFileSync(taskset, ["--all-tasks", "--cpu-list", "--pid", "0", String(process.pid)]);
}

/** A command line whose program has the second processor. */
export const onSecondCore = (argv: readonly [string, ...string[]]): readonly [string, ...string[]] =>
  hasOwnCore ? [taskset, "--cpu-list", "1", ...argv] : argv;
