import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SessionRow } from "@copepod/core/admin-api";
import { z } from "zod";
import { planStatus, quietMs, settleMs, waitingMs } from "./status-plan.ts";

const noon = Date.UTC(2026, 0, 1, 12);
const row = (fields: Partial<SessionRow> = {}): SessionRow => ({
  ...{ namespace: "agents", name: "s", group: "g", phase: "Awake", epoch: 1, pending: 0, lastActiveAt: noon },
  ...fields,
});
const waiting = { pending: 2, oldestPendingAt: noon };
const idle = row();
const busy = row(waiting);
const full = row({ reason: "Full." });
const shownIdle = { pending: 0, lastActiveAt: "2026-01-01T12:00:00Z" };
const shownBusy = { ...shownIdle, pending: 2, oldestPendingAt: "2026-01-01T12:00:00Z" };
const settling = { write: false, againInMs: settleMs };
const write = { write: true, againInMs: undefined };
const done = { write: false, againInMs: undefined };
/** Long enough for rows to show as waiting. */
const later = noon + waitingMs;
const active = (afterMs: number, fields: Partial<SessionRow> = {}) => row({ lastActiveAt: noon + afterMs, ...fields });

describe("when the status of a session is written", () => {
  const rows = [
    { what: "nothing that is new", row: idle, shown: shownIdle, plan: done },
    { what: "rows that came just now", row: busy, shown: shownIdle, plan: { write: false, againInMs: waitingMs } },
    { what: "rows that wait for a while", row: busy, before: idle, shown: shownIdle, now: later, plan: settling },
    { what: "rows that wait still", row: busy, shown: shownIdle, now: later, sinceWriteMs: 0, plan: write },
    {
      what: "other rows than before",
      row: row({ ...waiting, oldestPendingAt: noon + 5_000 }),
      before: busy,
      shown: shownIdle,
      now: later + 5_000,
      plan: settling,
    },
    {
      what: "rows that wait for a reason",
      row: row({ ...waiting, reason: "Full." }),
      shown: shownIdle,
      sinceWriteMs: 0,
      plan: write,
    },
    { what: "rows that are all gone", row: idle, shown: shownBusy, sinceWriteMs: 0, plan: write },
    { what: "a reason", row: full, shown: shownIdle, sinceWriteMs: 0, plan: write },
    { what: "a reason that came just now", row: full, before: idle, shown: shownIdle, plan: settling },
    {
      what: "one row more",
      row: row({ ...waiting, pending: 3 }),
      shown: shownBusy,
      sinceWriteMs: 10_000,
      plan: { write: false, againInMs: quietMs - 10_000 },
    },
    {
      what: "one row more after a minute",
      row: row({ ...waiting, pending: 3 }),
      shown: shownBusy,
      sinceWriteMs: quietMs,
      plan: write,
    },
    { what: "the first time of activity", row: idle, shown: {}, plan: write },
    { what: "a time that is a little off", row: active(59_000), shown: shownIdle, plan: done },
    { what: "a time that is a minute off", row: active(quietMs), shown: shownIdle, plan: write },
    {
      what: "a time that is a minute off, of a session that sleeps",
      row: active(quietMs, { phase: "Asleep" }),
      shown: shownIdle,
      plan: done,
    },
    {
      what: "a time that is far off, of a session that sleeps",
      row: active(10 * quietMs, { phase: "Asleep" }),
      shown: shownIdle,
      plan: write,
    },
  ];
  for (const { what, plan, before, row, ...situation } of rows) {
    it(`${what}: ${JSON.stringify(plan)}`, () => {
      const common = { now: noon, sinceWriteMs: undefined, ...situation };
      const { state } = planStatus({ ...common, row: before ?? row, before: undefined });
      const { patch, againInMs } = planStatus({ ...common, row, before: state });
      assert.deepEqual({ write: patch !== undefined, againInMs }, plan);
    });
  }

  it("a reason is one line of a bounded length, that reads back as it was written", () => {
    const long = row({ reason: `a\n\tb${"x".repeat(1_020)}😀😀` });
    const { state } = planStatus({
      row: long,
      before: undefined,
      shown: shownIdle,
      sinceWriteMs: undefined,
      now: noon,
    });
    const { reason = "" } = z
      .object({ reason: z.string() })
      .parse(planStatus({ row: long, before: state, shown: shownIdle, sinceWriteMs: undefined, now: noon }).patch);
    assert.deepEqual([reason.slice(0, 4), reason.length, reason.isWellFormed()], ["a bx", 1_024, true]);
  });
});
