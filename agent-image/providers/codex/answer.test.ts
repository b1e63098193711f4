import assert from "node:assert/strict";
import { it } from "node:test";
import { Answer } from "./answer.ts";

type Step = "tool" | "follow-up" | { readonly text: string; readonly phase?: string };

const cases: [string, Step[], string][] = [
  ["the last text", [{ text: "a" }], "a"],
  ["nothing that a tool follows", [{ text: "let me look" }, "tool", { text: "a" }], "a"],
  ["what was final when a follow-up came", [{ text: "a" }, "follow-up", "tool", { text: "b" }], "a\nb"],
  ["nothing that a follow-up found in the middle", [{ text: "look" }, "tool", "follow-up", { text: "b" }], "b"],
  ["what is called final", [{ text: "a", phase: "final_answer" }, "tool", { text: "b", phase: "commentary" }], "a"],
];

for (const [what, steps, expected] of cases) {
  it(`an answer is ${what}`, () => {
    const answer = new Answer();
    for (const step of steps) {
      if (step === "tool") answer.toolBegan();
      else if (step === "follow-up") answer.followUpCame();
      else answer.said({ type: "agentMessage", text: step.text, phase: step.phase ?? null });
    }
    assert.equal(answer.text, expected);
  });
}
