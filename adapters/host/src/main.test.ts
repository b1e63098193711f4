import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { startPlatform } from "@copepod/adapter-kit/test-channel/platform";
import { startFakeRouter } from "./fake-router.ts";

async function build(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "host-"));
  const platform = await startPlatform({ socket: join(folder, "platform.sock") });
  const router = await startFakeRouter(join(folder, "router.sock"), { ...platform.endpoint });
  const tokenFile = join(folder, "token");
  await writeFile(tokenFile, `${router.token}\n`);
  const children: ChildProcess[] = [];
  t.after(async () => {
    await Promise.all(children.map((child) => end(child, "SIGKILL")));
    await router[Symbol.asyncDispose]();
    await platform[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const host = (env: Record<string, string> = {}): ChildProcess => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts")], {
      env: {
        COPEPOD_CHANNEL_SOCKET: router.socket,
        COPEPOD_TOKEN_FILE: tokenFile,
        COPEPOD_CHANNEL_TYPE: "test",
        COPEPOD_LOG_LEVEL: "silent",
        COPEPOD_END_WITH_STDIN: "1",
        ...env,
      },
      stdio: ["pipe", "ignore", "inherit"],
    });
    children.push(child);
    return child;
  };
  return { platform, router, host };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
  return child.exitCode;
}

const patience = () => AbortSignal.timeout(15_000);

describe("the adapter host as a process", () => {
  it("shows a message once though it is killed between the send and its outcome", async (t) => {
    const { platform, router, host } = await build(t);
    platform.faults.sends({ kind: "slow", delayMs: 60_000 }, 1);
    const id = router.queue("alice", "text");
    const first = host();
    await platform.until(() => platform.log("alice").length === 1, patience());
    await end(first, "SIGKILL");
    assert.equal(router.rows.get(id)?.state, "leased");
    host();
    await router.until(() => router.rows.get(id)?.state === "sent");
    assert.equal(platform.log("alice").length, 1);
    assert.equal(router.rows.get(id)?.platformMessageId, platform.log("alice")[0]?.id);
  });

  it("stores an event once though it is killed between the accept and its answer", async (t) => {
    const { platform, router, host } = await build(t);
    router.refuse("accept", "unavailable", { times: 1_000, after: true });
    const first = host();
    platform.say("alice", "one");
    await router.until(() => router.events.size === 1);
    await end(first, "SIGKILL");
    platform.redeliver(["event-1"]);
    platform.say("alice", "two");
    host();
    await router.until(() => router.events.size === 2);
  });

  it("ends with 0 on SIGTERM, and when its parent's pipe closes", async (t) => {
    const { router, host } = await build(t);
    const terminated = host();
    await router.until(() => router.calls("lease") >= 1);
    assert.equal(await end(terminated, "SIGTERM"), 0);
    const orphan = host();
    await router.until(() => router.calls("hello") >= 2);
    const exited = once(orphan, "exit");
    orphan.stdin?.end();
    assert.deepEqual(await exited, [0, null]);
  });

  it("refuses a type that no adapter has", async (t) => {
    const { host } = await build(t);
    assert.deepEqual(await once(host({ COPEPOD_CHANNEL_TYPE: "carrier-pigeon" }), "exit"), [1, null]);
  });
});
