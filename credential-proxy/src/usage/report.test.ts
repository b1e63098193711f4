import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import type { UsageEntry } from "@copepod/core/mailbox-api";
import { pino } from "pino";
import { UsageReport } from "./report.ts";

const entry = (id: number): UsageEntry => ({
  ...{ id: `entry-${id}`, credential: "api", model: "m", status: 200, inputTokens: 1, outputTokens: 1 },
  ...{ cacheReadTokens: 0, cacheWriteTokens: 0, durationMs: 1 },
});

/** A router that fails as often as it is told to, and then notes. */
function createRouter(failures: number, code: "unavailable" | "invalid" = "unavailable") {
  const batches: string[][] = [];
  let left = failures;
  const usage = async ({ entries }: { entries: UsageEntry[] }) => {
    if (left-- > 0) throw new CopepodError(code, "not now");
    batches.push(entries.map(({ id }) => id));
    return {};
  };
  return { batches, deps: { mailbox: { usage }, random: () => 0, log: pino({ level: "silent" }) } };
}

const never = new AbortController().signal;

describe("the report of usage", () => {
  it("gathers entries in batches, each told once", async () => {
    const { batches, deps } = createRouter(0);
    const report = new UsageReport(deps);
    for (let id = 0; id < 250; id++) report.record(entry(id));
    await report.flush(never);
    assert.deepEqual(
      batches.map((batch) => batch.length),
      [100, 100, 50],
    );
    assert.equal(new Set(batches.flat()).size, 250);
  });

  it("is repeated until the router has heard it", async () => {
    const { batches, deps } = createRouter(3);
    const report = new UsageReport(deps);
    report.record(entry(1));
    while (batches.length === 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(batches, [["entry-1"]]);
    await report.flush(never);
    assert.equal(batches.length, 1);
  });

  it("loses only the entry that the router finds invalid", async () => {
    const heard: string[] = [];
    let calls = 0;
    const usage = async ({ entries }: { entries: UsageEntry[] }) => {
      calls++;
      if (entries.some(({ id }) => id === "entry-42")) throw new CopepodError("invalid", "one of them");
      heard.push(...entries.map(({ id }) => id));
      return {};
    };
    const report = new UsageReport({ mailbox: { usage }, random: () => 0, log: pino({ level: "silent" }) });
    for (let id = 0; id < 250; id++) report.record(entry(id));
    await report.flush(never);
    assert.deepEqual([heard.length, new Set(heard).size, heard.includes("entry-42")], [249, 249, false]);
    assert.equal(calls, 1 + 100 + 2, "batches again after the suspects");
  });

  it("lets go of what the router finds invalid, and of what it can't tell before the end", async () => {
    const picky = createRouter(1, "invalid");
    const report = new UsageReport(picky.deps);
    report.record(entry(1));
    await report.flush(never);
    assert.deepEqual(picky.batches, []);
    const gone = createRouter(Number.POSITIVE_INFINITY);
    const late = new UsageReport(gone.deps);
    late.record(entry(1));
    await late.flush(AbortSignal.timeout(100));
    assert.deepEqual(gone.batches, []);
  });
});
