import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MailboxMessage } from "@copepod/core/messages";
import fc from "fast-check";
import { type Batch, Lane } from "./lane.ts";

type Kind = "chat" | "context" | "task";

function row(seq: number, kind: Kind = "chat"): MailboxMessage {
  const common = { seq, trigger: kind !== "context", redelivered: false, from: "family", time: 0 };
  return kind === "task"
    ? { ...common, kind, body: { prompt: "x" } }
    : { ...common, kind: "chat", body: { text: "x" } };
}

const seqs = (batch: Batch | undefined): number[] | undefined => batch?.messages.map((message) => message.seq);

function laneOf(...kinds: Kind[]): Lane {
  const lane = new Lane();
  lane.add(
    kinds.map((kind, index) => row(index + 1, kind)),
    [],
  );
  return lane;
}

describe("a lane", () => {
  it("starts a turn with chat rows up to the limit, and the context around them", () => {
    const lane = laneOf("context", "chat", "context", "chat", "context", "chat");
    assert.deepEqual(seqs(lane.startTurn(2)), [1, 2, 3, 4, 5]);
    assert.deepEqual(seqs(lane.startTurn(2)), [6]);
    assert.equal(lane.startTurn(2), undefined);
  });

  it("starts a turn for a task alone, and lets nothing join from behind one", () => {
    const lane = laneOf("chat", "task", "chat");
    assert.deepEqual(seqs(lane.startTurn(9)), [1]);
    assert.equal(lane.joinTurn(9), undefined);
    lane.forget([1]);
    assert.deepEqual(seqs(lane.startTurn(9)), [2]);
    assert.deepEqual(seqs(lane.joinTurn(9)), [3]);
  });

  it("lets context join only with a row that wants an answer, and nothing without room", () => {
    const lane = laneOf("chat");
    lane.startTurn(9);
    lane.add([row(2, "context")], []);
    assert.equal(lane.joinTurn(9), undefined);
    lane.add([row(3)], []);
    assert.equal(lane.joinTurn(0), undefined);
    assert.deepEqual(seqs(lane.joinTurn(1)), [2, 3]);
  });

  it("names every row that it holds, wherever it is, and takes a repeat for the same row", () => {
    const lane = laneOf("chat", "task");
    lane.startTurn(9);
    lane.add([row(1), row(2, "task"), row(3)], []);
    assert.deepEqual(lane.held(), [1, 2, 3]);
    assert.equal(lane.isWaiting(1), false);
    assert.equal(lane.isWaiting(3), true);
  });

  it("remembers what a turn has said, for as long as its first row is not ended", () => {
    const lane = laneOf("chat", "chat");
    lane.startTurn(1);
    lane.giveBack([1, 2], { turn: 1, messages: [{ to: "family", text: "hi" }] });
    assert.deepEqual(lane.held(), []);
    lane.add([row(1)], []);
    assert.deepEqual(lane.startTurn(1)?.alreadySent, [{ to: "family", text: "hi" }]);
  });

  it("knows rows that were asked for before others in front of them went back", () => {
    const lane = laneOf("chat");
    const before = lane.age;
    lane.startTurn(1);
    lane.giveBack([1], { turn: 1, messages: [] });
    assert.equal(lane.wouldOvertake([row(2)], before), true);
    assert.equal(lane.wouldOvertake([row(1), row(2)], before), false);
    assert.equal(lane.wouldOvertake([row(2)], lane.age), false);
  });

  it("wakes whoever waits for a change", async () => {
    const lane = new Lane();
    const changed = lane.changed();
    lane.add([row(1)], []);
    await changed;
  });

  it("never loses a row and never shows a later one first", () => {
    const kind = fc.constantFrom<Kind>("chat", "context", "task");
    fc.assert(
      fc.property(fc.array(kind, { minLength: 1, maxLength: 30 }), fc.array(fc.boolean()), (kinds, leaves) => {
        const lane = laneOf(...kinds);
        const ended = [...turnsOf(lane, leaves)].flat();
        assert.deepEqual(
          ended,
          kinds.slice(0, ended.length).map((_, index) => index + 1),
        );
        assert.ok(kinds.slice(ended.length).every((rest) => rest === "context"));
      }),
    );
  });
});

/** Runs turns until there is none; in each, rows join, and are left unread or not. */
function* turnsOf(lane: Lane, leaves: readonly boolean[]): Generator<number[]> {
  for (let turn = 0, batch = lane.startTurn(3); batch; batch = lane.startTurn(3)) {
    const joined = lane.joinTurn(2);
    const unread = leaves[turn++] ? (joined?.messages ?? []) : [];
    const read = [...batch.messages, ...(joined?.messages ?? [])].filter((message) => !unread.includes(message));
    lane.leaveTurn(unread);
    lane.forget(read.map((message) => message.seq));
    yield read.map((message) => message.seq);
  }
}
