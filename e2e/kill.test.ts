import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runKills } from "./bench/kill/run.ts";

const kills = 30;
const seed = 7;
const quietMs = 40_000;

describe("a system whose processes are killed", () => {
  it("answers every message once, in order", { timeout: 120_000 }, async (t) => {
    const say = (line: string) => t.diagnostic(line);
    const report = await runKills({ kills, seed, quietMs, say, signal: t.signal });
    const { folder, verdict, queue } = report;
    const { messages, faults, ...counts } = verdict;
    assert.deepEqual(counts, { lost: 0, duplicated: 0, outOfOrder: 0, misplaced: 0 }, [folder, ...faults].join("\n"));
    assert.deepEqual([queue.integrity, queue.open, queue.dead], ["ok", 0, 0], [folder, ...queue.rows].join("\n"));
    assert.equal(report.kills, kills);
    assert.ok(messages > kills);
  });
});
