import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { isAlive } from "./support/processes.ts";
import { System, terminalResources } from "./support/system.ts";

const cli = fileURLToPath(import.meta.resolve("@copepod/cli/main"));

/** Runs the command as a pipe would. */
async function copepod(home: string, args: readonly string[], input = "") {
  const child = spawn(process.execPath, [cli, "--home", home, ...args], {
    env: { PATH: process.env.PATH, HOME: home },
  });
  child.stdin.end(input);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { stdout, stderr, exitCode: child.exitCode };
}

describe("npm start", () => {
  it("in a pipe answers each line on stdout, exits 0, and says on stderr what the first run made", async () => {
    const home = await mkdtemp(join(tmpdir(), "copepod-start-"));
    try {
      const first = await copepod(home, ["start"], "hello\nremember the tide\n");
      assert.equal(first.exitCode, 0, first.stderr);
      assert.match(first.stdout, /hello/);
      assert.match(first.stderr, /First run: made .*resources/);
      const second = await copepod(home, ["start"], "recall\n");
      assert.match(second.stdout, /the tide/);
      assert.doesNotMatch(second.stderr, /First run/);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  });

  it("attaches to a system that runs, and leaves it running", async () => {
    await using system = await System.start(terminalResources());
    await system.ask("main", "before");
    const { stdout, exitCode } = await copepod(system.home, ["start"], "from the second start\n");
    assert.equal(exitCode, 0);
    assert.match(stdout, /from the second start/);
    assert.ok(await isAlive(system.pid));
    assert.match(await system.ask("main", "after"), /after/);
  });
});

describe("copepod ask", () => {
  it("prints the answer on stdout and the session on stderr, and goes on in that session", async () => {
    await using system = await System.start(terminalResources());
    const first = await copepod(system.home, ["ask", "hello"]);
    assert.equal(first.exitCode, 0, first.stderr);
    assert.match(first.stdout, /hello/);
    const session = /session: (\S+)/.exec(first.stderr)?.[1] ?? "";
    const second = await copepod(system.home, ["ask", "--session", session], "count");
    assert.match(second.stdout, /2|second/);
    assert.match(second.stderr, new RegExp(`session: ${session}`));
  });

  it("has an exit code for each way to fail", async () => {
    await using system = await System.start(terminalResources());
    const codes = async (...args: string[]) => (await copepod(system.home, args)).exitCode;
    assert.equal(await codes("ask", "--group", "nobody", "hi"), 3);
    assert.equal(await codes("ask", "--timeout", "1s", "wait 4"), 5);
    assert.equal(await codes("ask", "fail permanent"), 6);
    assert.equal(await codes("ask", "--nonsense"), 2);
    await system.end("SIGTERM");
    assert.equal(await codes("ask", "hi"), 8);
  });
});
