import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, it } from "node:test";
import { isAlive, startedIn, until } from "./fixtures/rig.ts";

const main = new URL("./fixtures/main.ts", import.meta.url).pathname;

describe("two supervisors for one home", () => {
  let parent: string;
  let running: ChildProcess[];

  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), "cpt-"));
    running = [];
  });

  afterEach(async () => {
    for (const child of running) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGTERM");
      await once(child, "exit");
    }
    // What a killed one has started may write for a moment, until it notices.
    await rm(parent, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  });

  /** @returns the process and the first line it says. */
  async function start(fixture = "obedient", runtimeDir = parent) {
    const child = spawn(process.execPath, [main, join(parent, "home"), runtimeDir, fixture], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    running.push(child);
    const [line] = await once(createInterface({ input: child.stdout }), "line");
    return { child, line: String(line) };
  }

  it("that start at once: one runs, the other is told so", async () => {
    const lines = (await Promise.all([start(), start(), start()])).map(({ line }) => line.split(" ")[0]);
    assert.deepEqual(lines.sort(), ["alreadyRunning", "alreadyRunning", "up"]);
  });

  it("one after the other was killed: the new one takes over at once", async () => {
    const first = await start();
    first.child.kill("SIGKILL");
    await once(first.child, "exit");
    assert.match((await start()).line, /^up /);
  });

  it("the children of a killed one end by themselves", async () => {
    const { child } = await start();
    const router = await until(async () => (await startedIn(join(parent, "home/logs/router.log")))[0], "the router");
    child.kill("SIGKILL");
    await until(() => !isAlive(router.pid), "the end of the router");
  });

  it("children that do not notice are ended by the next one, also when it has another run folder", async () => {
    const { child } = await start("stubborn");
    const log = join(parent, "home/logs/router.log");
    const router = await until(async () => (await startedIn(log))[0], "the router");
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.equal(isAlive(router.pid), true);
    await start("obedient", join(parent, "other"));
    assert.equal(isAlive(router.pid), false);
  });
});
