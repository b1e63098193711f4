import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { isAlive } from "../../support/processes.ts";
import { until } from "../../support/until.ts";
import { findProcess, lastWords, listProcesses, logFile, startProcess, stopProcess } from "./processes.ts";

const signal = new AbortController().signal;
const idle = [process.execPath, "--eval", "console.log('up'); setInterval(() => {}, 1_000)"] as const;
const stubborn = [
  process.execPath,
  "--eval",
  "process.on('SIGTERM', () => {}); console.log('up'); setInterval(() => {}, 1_000)",
] as const;

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "cluster-processes-"));
});
after(async () => {
  for (const { name } of await listProcesses(folder)) await stopProcess(folder, name, { signal: "SIGKILL" });
  await rm(folder, { recursive: true });
});

const isUp = async (name: string) =>
  await until(`${name} is up`, async () => (await readFile(logFile(folder, name), "utf8")).includes("up"));

describe("a process of a cluster", () => {
  it("outlives the one who started it, and is found, listed and ended by others", async () => {
    const script = `
      import { startProcess } from ${JSON.stringify(import.meta.resolve("./processes.ts"))};
      const signal = new AbortController().signal;
      await startProcess({ folder: ${JSON.stringify(folder)}, name: "heir", command: ${JSON.stringify(idle)}, signal });
    `;
    const starter = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "inherit" });
    assert.deepEqual(await once(starter, "exit"), [0, null]);
    const found = await findProcess(folder, "heir");
    assert.ok(found);
    assert.deepEqual(await listProcesses(folder), [{ ...found, isRunning: true }]);
    await stopProcess(folder, "heir");
    assert.equal(await findProcess(folder, "heir"), undefined);
    assert.deepEqual(await listProcesses(folder), []);
    assert.equal(await isAlive(found.pid), false);
  });

  it("gets the environment that it is given and no more, and writes to its log", async () => {
    process.env.COPEPOD_TEST_OF_PROCESSES = "not for others";
    const command = [process.execPath, "--eval", "console.log(Object.keys(process.env).sort().join())"] as const;
    await startProcess({ folder, name: "environment", command, env: { GIVEN: "1" }, signal });
    await until("it has ended", async () => !(await findProcess(folder, "environment")));
    const names = (await readFile(logFile(folder, "environment"), "utf8")).trim().split(",");
    assert.ok(names.includes("GIVEN") && names.includes("PATH"));
    assert.ok(!names.includes("COPEPOD_TEST_OF_PROCESSES") && !names.includes("HOME"));
    await stopProcess(folder, "environment");
  });

  it("is killed when it does not end in its time", async () => {
    await startProcess({ folder, name: "stubborn", command: stubborn, signal });
    await isUp("stubborn");
    await stopProcess(folder, "stubborn", { graceMs: 50 });
    assert.equal(await findProcess(folder, "stubborn"), undefined);
  });

  it("that ended has last words, and is listed as ended until it is stopped", async () => {
    await startProcess({ folder, name: "missing", command: ["/no/such/program"], signal });
    await until("it has ended", async () => !(await findProcess(folder, "missing")));
    assert.match(await lastWords(folder, "missing"), /^the end of .*missing\.log:\n.*not found/);
    const [listed] = await listProcesses(folder);
    assert.equal(listed?.isRunning, false);
    await stopProcess(folder, "missing");
  });

  it("has its cause of death as last words, not the stack below it", async () => {
    const stack = Array.from({ length: 100 }, (_, index) => `goroutine ${index} [running]:`);
    await mkdir(join(folder, "logs"), { recursive: true });
    await writeFile(logFile(folder, "stack"), ["before", "panic: no space left on device", ...stack].join("\n"));
    assert.match(await lastWords(folder, "stack"), /stack\.log:\npanic: no space left on device\ngoroutine 0 /);
  });

  it("is not mistaken for another one that has got its id", async () => {
    const stranger = spawn(process.execPath, ["--eval", "console.log('up'); setInterval(() => {}, 1_000)"]);
    try {
      await once(stranger.stdout, "data");
      await startProcess({ folder, name: "gone", command: idle, signal });
      const record = join(folder, "processes", "gone");
      const [pid, ...identity] = (await readFile(record, "utf8")).split("\n");
      process.kill(Number(pid), "SIGKILL");
      await writeFile(record, [stranger.pid, ...identity].join("\n"));
      assert.equal(await findProcess(folder, "gone"), undefined);
      await stopProcess(folder, "gone", { signal: "SIGKILL" });
      assert.equal(stranger.exitCode ?? stranger.signalCode, null);
      process.kill(stranger.pid ?? 0, 0);
    } finally {
      stranger.kill("SIGKILL");
    }
  });

  it("whose record was only begun counts as none", async () => {
    await mkdir(join(folder, "processes"), { recursive: true });
    for (const text of ["", "123", "123\n", `${process.pid}\nboot`]) {
      await writeFile(join(folder, "processes", "begun"), text);
      assert.equal(await findProcess(folder, "begun"), undefined);
    }
    await stopProcess(folder, "begun");
  });
});
