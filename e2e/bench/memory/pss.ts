import { readFileSync } from "node:fs";

const kibiPerMebi = 1_024;

/** Memory of a process in MB; what it shares is divided among all that share it. */
export function pssMb(pid: number): number {
  const line = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
  return Number(line?.[1] ?? 0) / kibiPerMebi;
}
