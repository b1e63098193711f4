import { matchesGlob } from "node:path";
import { listFiles } from "./repository.ts";

export interface TestRun {
  readonly files: readonly string[];
  /** Options for `node --test`. */
  readonly options: readonly string[];
}

/**
 * Which test files to run.
 * @param args globs or folders (all tests when there are none), and options that begin with a dash
 */
export function planTests(root: string, args: readonly string[]): TestRun {
  const wanted = args.filter((arg) => !arg.startsWith("-"));
  const files = listFiles(root, [".test.ts"]).filter(
    (file) => wanted.length === 0 || wanted.some((pattern) => isWanted(file, pattern.replace(/^\.\//, ""))),
  );
  return { files, options: args.filter((arg) => arg.startsWith("-")) };
}

const isWanted = (file: string, pattern: string): boolean =>
  file === pattern || file.startsWith(`${pattern.replace(/\/$/, "")}/`) || matchesGlob(file, pattern);
