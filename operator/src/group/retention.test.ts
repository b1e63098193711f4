import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sessionSchema } from "@copepod/crds/session";
import { sessions } from "../resources.ts";
import { seeAs } from "../seen.ts";
import { planRetention } from "./retention.ts";

const now = Date.UTC(2030, 0, 1);
const hourMs = 3_600_000;
const ago = (ms: number) => new Date(now - ms).toISOString();
const see = seeAs(sessions, sessionSchema);

const session = (name: string, status: object, { wanted = false, age = 0, suspended = false } = {}) =>
  see({
    metadata: { name, namespace: "agents", creationTimestamp: ago(age) },
    spec: { group: "a", key: { kind: "Conversation", conversation: name }, wake: { wanted, epoch: 1 }, suspended },
    status,
  });
const plan = (...all: readonly ReturnType<typeof session>[]) => {
  const { due, nextMs } = planRetention(all, 24 * hourMs, now);
  return { due: due.map(({ metadata }) => metadata.name), nextMs };
};
const old = { phase: "Asleep", pending: 0, lastActiveAt: ago(25 * hourMs) };

describe("the retention of Sessions", () => {
  it("lets go what sleeps for long with nothing to do", () => assert.deepEqual(plan(session("s", old)).due, ["s"]));

  for (const [name, status, more] of [
    ["is awake", { ...old, phase: "Awake" }, {}],
    ["is being tried again after a failure", { ...old, phase: "Failed" }, { wanted: true }],
    ["somebody suspended, which the Session alone says", old, { suspended: true }],
    ["has something to do", { ...old, pending: 1 }, {}],
    ["is to wake", old, { wanted: true }],
    ["was active", { ...old, lastActiveAt: ago(23 * hourMs) }, {}],
    ["was just made, and says nothing yet", {}, {}],
  ] as const) {
    it(`keeps one that ${name}`, () => assert.deepEqual(plan(session("s", status, more)).due, []));
  }

  it("lets go of one that failed, and that nobody wrote to again", () => {
    assert.deepEqual(plan(session("s", { ...old, phase: "Failed" })).due, ["s"]);
  });

  it("goes by the age of one that was never active", () => {
    assert.deepEqual(plan(session("s", {}, { age: 25 * hourMs })).due, ["s"]);
  });

  it("looks again when the next is due, at least every hour, and in rounds where there are many", () => {
    const soon = { ...old, lastActiveAt: ago(24 * hourMs - 60_000) };
    assert.equal(plan(session("s", soon)).nextMs, 60_000);
    assert.equal(plan().nextMs, hourMs);
    const many = plan(...Array.from({ length: 50 }, (_, at) => session(`s-${at}`, old)));
    assert.deepEqual([many.due.length, many.nextMs], [20, 1_000]);
  });
});
