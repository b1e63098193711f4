import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { isAlive } from "../../support/processes.ts";
import { until } from "../../support/until.ts";
import { keepRunning } from "./supervise.ts";

it("a supervised program runs again after each end, until it is ended for good", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cluster-supervise-"));
  try {
    const logFile = join(folder, "logs", "brief.log");
    const said: string[] = [];
    const end = new AbortController();
    const script =
      "console.log(process.pid, process.env.GIVEN); process.argv[1] === 'stay' ? setInterval(() => {}, 1e3) : process.exit(7)";
    const running = keepRunning(
      { name: "brief", command: [process.execPath, "--eval", script], env: { GIVEN: "here" }, logFile },
      { say: (line) => said.push(line), signal: end.signal },
    );
    const starts = async () => (await readFile(logFile, "utf8").catch(() => "")).trim().split("\n");
    await until("three starts", async () => (await starts()).length >= 3);
    end.abort();
    await running;
    assert.match(said[0] ?? "", /^brief ended \(7\), starts again in \d+ ms$/);
    assert.equal(new Set(await starts()).size, (await starts()).length);
    assert.match((await starts())[0] ?? "", /^\d+ here$/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it("a supervised program that runs is ended with its supervisor", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cluster-supervise-"));
  try {
    const logFile = join(folder, "lasting.log");
    const end = new AbortController();
    const command = [process.execPath, "--eval", "console.log(process.pid); setInterval(() => {}, 1_000)"] as const;
    const running = keepRunning({ name: "lasting", command, logFile }, { say: () => {}, signal: end.signal });
    const pid = await until(
      "it runs",
      async () => Number((await readFile(logFile, "utf8").catch(() => "")).trim()) || false,
    );
    end.abort();
    await running;
    assert.equal(await isAlive(pid), false);
  } finally {
    await rm(folder, { recursive: true });
  }
});
