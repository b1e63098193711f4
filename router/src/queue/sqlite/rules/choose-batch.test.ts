import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Candidate, chooseBatch } from "./choose-batch.ts";

interface Row extends Candidate {
  readonly name: string;
}

const row = (name: string, extra: Partial<Row> = {}): Row => ({
  name,
  kind: "chat",
  trigger: 1,
  attempt: 0,
  retry_at: null,
  ...extra,
});

const choose = (lane: readonly Row[], options: { running?: boolean; limit?: number } = {}) => {
  const { rows, exhausted, blockedUntil } = chooseBatch(lane, { running: false, limit: 10, now: 100, ...options });
  return { rows: rows.map(({ name }) => name), exhausted: exhausted.map(({ name }) => name), blockedUntil };
};

const cases: { what: string; lane: Row[]; options?: { running?: boolean; limit?: number }; rows: string[] }[] = [
  { what: "chat up to the limit", lane: [row("a"), row("b"), row("c")], options: { limit: 2 }, rows: ["a", "b"] },
  { what: "context along with what triggers", lane: [row("x", { trigger: 0 }), row("a")], rows: ["x", "a"] },
  { what: "nothing when there is only context", lane: [row("x", { trigger: 0 })], rows: [] },
  { what: "a task alone", lane: [row("t", { kind: "task" }), row("a")], rows: ["t"] },
  { what: "chat up to a task", lane: [row("a"), row("t", { kind: "task" }), row("b")], rows: ["a"] },
  { what: "no task into a running turn", lane: [row("t", { kind: "task" })], options: { running: true }, rows: [] },
  { what: "follow-ups into a running turn", lane: [row("a"), row("b")], options: { running: true }, rows: ["a", "b"] },
  { what: "together what failed once", lane: [row("a", { attempt: 1 }), row("b", { attempt: 1 })], rows: ["a", "b"] },
  { what: "alone what failed twice", lane: [row("a", { attempt: 2 }), row("b")], rows: ["a"] },
  { what: "up to what failed twice", lane: [row("a"), row("b", { attempt: 2 })], rows: ["a"] },
  {
    what: "nothing that failed twice into a running turn",
    lane: [row("a", { attempt: 2 })],
    options: { running: true },
    rows: [],
  },
];

describe("a batch holds", () => {
  for (const { what, lane, options, rows } of cases) {
    it(what, () => assert.deepEqual(choose(lane, options).rows, rows));
  }

  it("nothing behind a row that waits for its retry", () => {
    assert.deepEqual(choose([row("a", { retry_at: 101 }), row("b")]), { rows: [], exhausted: [], blockedUntil: 101 });
  });

  it("not what was tried too often, which ends, and lets the next follow", () => {
    const { rows, exhausted } = choose([row("a", { attempt: 5 }), row("b")]);
    assert.deepEqual([rows, exhausted], [["b"], ["a"]]);
  });
});
