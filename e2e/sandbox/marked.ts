import { readdirSync, readFileSync } from "node:fs";

/** Processes of the machine, whoever they belong to, whose first word is this one. */
export function findMarked(mark: string): readonly number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && firstWord(pid) === mark);
}

function firstWord(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[0];
  } catch {
    return undefined;
  }
}
