import type { ParseArgsOptionsConfig } from "node:util";

/** A benchmark is a file in this folder with an export named `bench`. */
export interface Bench {
  /** One sentence for the list. */
  readonly summary: string;
  /** Options beside `--json`, as `parseArgs` of node:util takes them; each with a default. */
  readonly options: ParseArgsOptionsConfig;
  /** @throws CopepodError `invalid` for a value that is not one */
  run(values: BenchValues, context: BenchContext): Promise<BenchResult>;
}

export type BenchValues = Readonly<Record<string, string | boolean | undefined | readonly (string | boolean)[]>>;

export interface BenchContext {
  /** A line about progress; goes to stderr. */
  say(line: string): void;
  /** Aborts when the person wants it to end: whatever was started has to be ended too. */
  readonly signal: AbortSignal;
}

export interface BenchResult {
  /** Whether every figure is what it must be. */
  readonly ok: boolean;
  readonly figures: Readonly<Record<string, number | string>>;
  /** What the figures mean, or why they are not ok; one line each. */
  readonly notes?: readonly string[];
}
