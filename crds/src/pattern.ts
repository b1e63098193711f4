import { setFlagsFromString } from "node:v8";

/** V8's engine can do look-behind, RE2 (the API server) can't. */
const lookBehind = /\(\?<[=!]/;

/**
 * Compiles a pattern for V8's linear-time engine. Whoever may write to a conversation chooses the text, so a pattern
 * that backtracks could stall the router; this engine can't, and like RE2 it has no look-around or back-references.
 * Case matters.
 * @returns undefined when the pattern is not valid there.
 */
export function compilePattern(pattern: string): RegExp | undefined {
  if (lookBehind.test(pattern)) return undefined;
  setFlagsFromString("--enable-experimental-regexp-engine");
  try {
    return new RegExp(pattern, "l");
  } catch {
    return undefined;
  }
}
