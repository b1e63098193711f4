import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SessionRow } from "@copepod/core/admin-api";
import { lookAt, planStatus, quietMs, settleMs } from "./status-plan.ts";

const noon = Date.UTC(2026, 0, 1, 12);
const row = (fields: Partial<SessionRow> = {}): SessionRow => ({
  ...{ namespace: "agents", name: "s", group: "g", phase: "Awake", epoch: 1, pending: 0, lastActiveAt: noon },
  ...fields,
});
const waiting = { pending: 2, oldestPendingAt: noon };
const idle = lookAt(row());
const busy = lookAt(row(waiting));
const shownIdle = { pending: 0, lastActiveAt: "2026-01-01T12:00:00Z" };
const shownBusy = { ...shownIdle, pending: 2, oldestPendingAt: "2026-01-01T12:00:00Z" };
const again = { kind: "lookAgain", inMs: settleMs };

describe("when the status of a session is written", () => {
  const rows = [
    { what: "nothing that is new", look: idle, before: undefined, shown: shownIdle, plan: { kind: "done" } },
    {
      what: "zero where nothing is shown",
      look: lookAt(row()),
      shown: { ...shownIdle, pending: undefined },
      plan: { kind: "done" },
    },
    { what: "rows that came just now", look: busy, before: undefined, shown: shownIdle, plan: again },
    { what: "rows that came since the last look", look: busy, before: idle, shown: shownIdle, plan: again },
    {
      what: "other rows than before",
      look: lookAt(row({ ...waiting, oldestPendingAt: noon + 5_000 })),
      before: busy,
      shown: shownIdle,
      plan: again,
    },
    {
      what: "rows that wait still",
      look: busy,
      before: busy,
      shown: shownIdle,
      sinceWriteMs: 0,
      plan: { kind: "write" },
    },
    {
      what: "rows that are all gone",
      look: idle,
      before: idle,
      shown: shownBusy,
      sinceWriteMs: 0,
      plan: { kind: "write" },
    },
    {
      what: "a reason",
      look: lookAt(row({ reason: "Full." })),
      before: lookAt(row({ reason: "Full." })),
      shown: shownIdle,
      sinceWriteMs: 0,
      plan: { kind: "write" },
    },
    {
      what: "one row more",
      look: lookAt(row({ ...waiting, pending: 3 })),
      before: busy,
      shown: shownBusy,
      sinceWriteMs: 10_000,
      plan: { kind: "lookAgain", inMs: quietMs - 10_000 },
    },
    {
      what: "one row more after a minute",
      look: lookAt(row({ ...waiting, pending: 3 })),
      before: busy,
      shown: shownBusy,
      sinceWriteMs: quietMs,
      plan: { kind: "write" },
    },
    {
      what: "the first time of activity",
      look: idle,
      before: idle,
      shown: {},
      sinceWriteMs: undefined,
      plan: { kind: "write" },
    },
  ];
  for (const { what, plan, ...situation } of rows) {
    it(`${what}: ${plan.kind}`, () => {
      assert.deepEqual(planStatus({ before: situation.look, sinceWriteMs: undefined, ...situation }), plan);
    });
  }

  it("a reason fits into one line of a bounded length", () => {
    const { reason } = lookAt(row({ reason: `a\n\tb${"x".repeat(5_000)}` })).wanted;
    assert.deepEqual([reason?.slice(0, 4), reason?.length], ["a bx", 1_024]);
  });
});
