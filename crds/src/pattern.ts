import { setFlagsFromString } from "node:v8";

/** Longest pattern, in characters. */
export const maxPatternLength = 256;

/** What stands for itself after a backslash: ASCII that is no letter, digit or control character. */
const punctuation = "[ -/:-@\\[-`{-~]";
/** Two characters for V8's linear-time engine, so nothing that could be repeated or stand in a class. */
const surrogatePairs = "\\u{10000}-\\u{10ffff}";
const inClass = `([^\\\\\\]\\[^${surrogatePairs}-]|\\\\[fnrtv]|\\\\${punctuation})`;
const onceOnly = [`[|^$${surrogatePairs}]`, "\\\\[bB]", "\\((\\?:)?", "\\)([*+?]\\??)?"];
const repeatable = [
  `[^\\\\^$.|?*+()\\[\\]{}${surrogatePairs}]`,
  "\\.",
  `\\\\([dDfnrstSvwW]|${punctuation})`,
  `\\[\\^?(-|-?(${inClass}(-${inClass})?|\\\\[dDsSwW])+-?)\\]`,
];
/** The engine repeats up to 16 times. */
const count = "([0-9]|1[0-6])";
const repetition = `([*+?]\\??|\\{${count}(,${count}?)?\\}\\??)?`;
const token = [...onceOnly, `(${repeatable.join("|")})${repetition}`].join("|");

/** In V8's notation. */
const tokens = `^(${token})*$`;
const tokensOnly = new RegExp(tokens, "u");

/**
 * In RE2's notation: accepts the tokens that V8's engine and RE2, with which the API server checks, both read in the
 * same way. Whether they stand in a good order, each engine sees for itself.
 */
export const re2Tokens = tokens.replaceAll("\\u{", "\\x{");

/**
 * Compiles a pattern for V8's linear-time engine. Whoever may write to a conversation chooses the text, so a pattern
 * that backtracks could stall the router; this engine can't, and like RE2 it has no look-around or back-references.
 * Case matters.
 * @returns undefined when the pattern is not valid here, or would not be on the API server.
 */
export function compilePattern(pattern: string): RegExp | undefined {
  // A character has at most two units. What looks at the tokens may backtrack, so it gets no more to look at.
  if (pattern.length > 2 * maxPatternLength || !tokensOnly.test(pattern)) return undefined;
  setFlagsFromString("--enable-experimental-regexp-engine");
  try {
    return new RegExp(pattern, "l");
  } catch {
    return undefined;
  }
}
