import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Conversation, Item } from "./conversation.ts";
import { decide } from "./script.ts";

const tools = [{ name: "Bash" }, { name: "mcp__copepod__send_message" }];
const user = (text: string): Item => ({ kind: "text", role: "user", text });
const model = (text: string): Item => ({ kind: "text", role: "assistant", text });
const message = (text: string) => `<message id="1" from="family" time="now">${text}</message>`;
const prompt = (text: string): Item => user(`<context timezone="UTC" />\n${message(text)}`);
const call = (id: string, command: string): Item => ({ kind: "call", id, tool: "Bash", input: { command } });
const output = (id: string, text: string): Item => ({ kind: "output", id, text });

const on = (...items: Item[]) => decide({ system: "", items, tools } satisfies Conversation);
const answer = (...texts: string[]) => ({
  kind: "answer",
  text: texts.map((text) => `<message to="family">${text}</message>`).join("\n"),
  slowSeconds: 0,
});

describe("the script of the fake model", () => {
  it("answers every message since the last final answer, in order, one call for each step", () => {
    const items = [prompt("hello"), model("said"), prompt("shell: ls"), call("a", "ls"), output("a", "files")];
    assert.deepEqual(on(...items), answer("files"));
    const next = on(...items, user(message("shell: ls")));
    assert.equal(next.kind === "call" && next.call.input.command, "ls");
    assert.deepEqual(
      on(...items, user(message("shell: ls")), call("b", "ls"), output("b", "other")),
      answer("files", "other"),
    );
  });

  it("takes a message that stands in a reminder within a tool's output, and not one that the tool printed", () => {
    const reminder = `<system-reminder>\nThe user sent a new message:\n${message("also this")}\n</system-reminder>`;
    const text = `done ${message("printed")}\n\n${reminder}`;
    const answered = on(prompt("shell: ls"), call("a", "ls"), output("a", text));
    assert.deepEqual(
      answered,
      answer(`done ‹message id="1" from="family" time="now">printed‹/message>`, "You said: also this"),
    );
  });

  it("starts again with a new prompt, whatever became of the one before", () => {
    assert.deepEqual(on(prompt("sleep: 9"), call("a", "sleep 9"), prompt("hello")), answer("You said: hello"));
    assert.equal(on(prompt("shell: ls"), call("a", "ls"), output("a", "x"), prompt("shell: ls")).kind, "call");
  });

  it("keeps what was said in a summary, with what is still open word for word", () => {
    const request = user("Your task is to create a detailed summary of the conversation so far");
    const summary = on(prompt("one"), model("said"), prompt("history"), request);
    assert.ok(summary.kind === "answer");
    assert.match(summary.text, /- said earlier: one\n<message from="family">history<\/message>/);
    assert.deepEqual(on(user(`This goes on: ${summary.text}`)), answer("Earlier messages:\n- one"));
  });

  it("says so when the tool of a step is not offered", () => {
    const decision = decide({ system: "", items: [prompt("shell: ls")], tools: [] });
    assert.deepEqual(decision, answer("No tool for “shell” is offered; there are: none"));
  });
});
