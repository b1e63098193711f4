import { z } from "zod";
import { compilePattern, maxPatternLength, re2Tokens } from "./pattern.ts";
import { withRule } from "./rule.ts";

const patternSchema = withRule(z.string().min(1).max(maxPatternLength), {
  // A pattern that does not compile is an error inside CEL. `|| true` would swallow it, a membership test does not.
  cel: `self.matches(r'${re2Tokens}') && ''.matches(self) in [true, false]`,
  message:
    "must be a regular expression of characters, classes, groups, | and repetitions (counted ones of one character, up " +
    "to 16); no look-around, back-references and flags",
  holds: (pattern) => compilePattern(pattern) !== undefined,
});

const engageObject = z.strictObject({
  mode: z
    .enum(["Pattern", "Mention"])
    .default("Pattern")
    .describe(
      "Pattern: messages that match. Mention: messages that address the agent; in a direct conversation all do. " +
        'Default "Pattern".',
    ),
  pattern: patternSchema
    .default(".")
    .describe(
      "Regular expression for mode Pattern, of what RE2 and JavaScript have in common, searched for in the text; case " +
        'matters. Default ".", every message.',
    ),
});

/** Which messages start a turn. */
export const engageSchema = withRule(engageObject, {
  cel: "self.mode == 'Pattern' || self.pattern == '.'",
  message: "pattern is only for mode Pattern",
  holds: ({ mode, pattern }) => mode === "Pattern" || pattern === ".",
});

export const unknownSendersSchema = z.enum(["Strict", "Public"]);
export const unaddressedSchema = z.enum(["Drop", "Accumulate"]);
