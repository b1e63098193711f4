import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ChatRecord, check, numbered } from "./checker.ts";

/** What a faultless agent shows for ten messages, some answered together. */
function faultless(chat = "chat-1"): ChatRecord {
  const quote = (number: number) => `You said: ${numbered(chat, number)}`;
  const single = [1, 2, 3].map(quote);
  const together = [4, 5, 6].map(quote).join("\n\n");
  return { chat, said: 10, answers: [...single, together, "wait 0.2: I have waited.", ...[7, 8, 9, 10].map(quote)] };
}

const counts = (...records: ChatRecord[]) => {
  const { faults, ...figures } = check(records);
  return figures;
};

const clean = { messages: 10, lost: 0, duplicated: 0, outOfOrder: 0, misplaced: 0 };

describe("the checker of the kill bench", () => {
  it("finds no fault where there is none", () => {
    assert.deepEqual(counts(faultless()), clean);
    assert.deepEqual(counts(faultless("a"), faultless("b")), { ...clean, messages: 20 });
  });

  it("catches a planted loss", () => {
    const record = faultless();
    const answers = record.answers.filter((text) => !text.includes(":8]"));
    assert.deepEqual(counts({ ...record, answers }), { ...clean, lost: 1 });
    assert.deepEqual(check([{ ...record, answers }]).faults, ["lost: [chat-1:8]"]);
  });

  it("catches the loss of the last message, which no other one follows", () => {
    const record = faultless();
    assert.deepEqual(counts({ ...record, answers: record.answers.slice(0, -1) }), { ...clean, lost: 1 });
  });

  it("catches a planted double, of one answer and of an answer to several", () => {
    const record = faultless();
    const [first = "", , , together = ""] = record.answers;
    assert.deepEqual(counts({ ...record, answers: [...record.answers, first] }), { ...clean, duplicated: 1 });
    assert.deepEqual(counts({ ...record, answers: [...record.answers, together] }), { ...clean, duplicated: 3 });
  });

  it("catches a planted swap", () => {
    const record = faultless();
    const [first = "", second = "", ...others] = record.answers;
    assert.deepEqual(counts({ ...record, answers: [second, first, ...others] }), { ...clean, outOfOrder: 1 });
  });

  it("catches a swap inside of one answer", () => {
    const record = faultless();
    const answers = record.answers.map((text) =>
      text.includes(":4]") ? text.split("\n\n").reverse().join(" ") : text,
    );
    assert.deepEqual(counts({ ...record, answers }), { ...clean, outOfOrder: 2 });
  });

  it("catches an answer in another chat, and one to what nobody said", () => {
    const stray = { chat: "b", said: 0, answers: [`You said: ${numbered("a", 1)}`, numbered("b", 5)] };
    assert.deepEqual(counts(stray), { ...clean, messages: 0, misplaced: 2 });
  });
});
