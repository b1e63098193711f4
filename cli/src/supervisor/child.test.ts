import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { seenThrough } from "./child.ts";

describe("the exit of a program in a sandbox", () => {
  const exit = (code: number | null, signal: NodeJS.Signals | null = null) => ({ code, signal, lastWords: undefined });

  for (const [sentence, outside, inside] of [
    ["that ended by itself is as it was", exit(7), exit(7)],
    ["that was killed inside counts as killed", exit(137), exit(null, "SIGKILL")],
    ["that was killed with the sandbox stays so", exit(null, "SIGKILL"), exit(null, "SIGKILL")],
    ["with a number that is no signal is as it was", exit(255), exit(255)],
  ] as const) {
    it(sentence, () => assert.deepEqual(seenThrough(outside), inside));
  }
});
