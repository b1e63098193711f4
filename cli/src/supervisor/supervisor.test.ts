import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import type { ProxyRules } from "@copepod/core/proxy-rules";
import type { Pod } from "@copepod/core/supervisor-api";
import { connectSupervisor } from "../http/connect.ts";
import { isAlive, startTestSystem, until } from "./fixtures/rig.ts";

const session = "default/helper-0123456789ab";
const group = "default/helper";
const rules: ProxyRules = { group: "helper", upstreams: [], rules: [] };
const isRunning = (pod: Pod | undefined) => pod?.phase === "Running";
const isGone = (pod: Pod | undefined) => pod === undefined;

describe("a session that is wanted", () => {
  it("gets a proxy and a runner with only what they need", async () => {
    await using test = await startTestSystem();
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    const pod = await test.pod(session, isRunning);
    const [proxy] = await until(async () => orNone(await test.started("proxy-helper-0123456789ab")), "the proxy");
    const [runner] = await until(async () => orNone(await test.started("runner-helper-0123456789ab")), "the runner");
    assert.ok(pod && proxy && runner);

    const tokenFile = proxy.env.COPEPOD_TOKEN_FILE ?? "";
    const token = await readFile(tokenFile, "utf8");
    assert.equal((await stat(tokenFile)).mode & 0o777, 0o600);
    assert.equal(createHash("sha256").update(token).digest("hex"), pod.tokenHash);

    assert.equal(runner.env.COPEPOD_PLACEHOLDER, proxy.env.COPEPOD_PLACEHOLDER);
    assert.equal(runner.env.COPEPOD_PROXY_SOCKET, proxy.env.COPEPOD_PROXY_SOCKET);
    assert.equal(runner.env.COPEPOD_WORKSPACE, `${test.home}/volumes/helper/sessions/helper-0123456789ab`);
    assert.equal(runner.env.COPEPOD_AGENT_DIR, `${test.home}/volumes/helper/agent`);
    assert.equal(runner.env.HOME, `${runner.env.COPEPOD_WORKSPACE}/home`);
    assert.ok(existsSync(runner.env.COPEPOD_WORKSPACE) && existsSync(runner.env.COPEPOD_AGENT_DIR ?? ""));
    for (const name of ["SECRET", "COPEPOD_TOKEN_FILE", "COPEPOD_MAILBOX_SOCKET"]) assert.ok(!(name in runner.env));
  });

  it("is told where the workspaces are that its group shares, if there are any", async () => {
    await using test = await startTestSystem();
    const team = [{ workspace: "default/docs", readOnly: true }];
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules, team });
    await test.supervisor.putWanted({ session: "default/other-1", wanted: true, epoch: 1, group, rules });
    const [runner] = await until(async () => orNone(await test.started("runner-helper-0123456789ab")), "the runner");
    const [other] = await until(async () => orNone(await test.started("runner-other-1")), "the other runner");
    assert.ok(runner && other);
    assert.equal(runner.env.COPEPOD_TEAM_DIR, `${test.home}/workspaces`);
    assert.ok(existsSync(`${test.home}/workspaces/docs`));
    assert.ok(!("COPEPOD_TEAM_DIR" in other.env));
    const outside = [{ workspace: "default/../docs", readOnly: true }];
    const put = test.supervisor.putWanted({ session, wanted: true, epoch: 2, group, rules, team: outside });
    await assert.rejects(put, { code: "invalid" });
  });

  it("has no inspector onto its processes, although the person's own programs get one by NODE_OPTIONS", async () => {
    await using test = await startTestSystem();
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    for (const log of ["router", "proxy-helper-0123456789ab", "runner-helper-0123456789ab"]) {
      const [child] = await until(async () => orNone(await test.started(log)), log);
      assert.deepEqual([child?.inspector, child?.env.NODE_OPTIONS], [undefined, undefined], log);
    }
  });

  it("keeps its pod UID and token when one of its processes dies", async () => {
    await using test = await startTestSystem();
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    const before = await test.pod(session, isRunning);
    const [first] = await until(async () => orNone(await test.started("runner-helper-0123456789ab")), "the runner");
    process.kill(first?.pid ?? 0, "SIGKILL");
    await until(async () => (await test.started("runner-helper-0123456789ab")).length === 2, "the second runner");
    assert.deepEqual(await test.pod(session, isRunning), before);
    assert.equal((await test.started("proxy-helper-0123456789ab")).length, 1);
  });

  it("is replaced for a greater epoch, the old processes gone first", async () => {
    await using test = await startTestSystem();
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    const old = await test.pod(session, isRunning);
    const [first] = await until(async () => orNone(await test.started("runner-helper-0123456789ab")), "the runner");
    await test.supervisor.putWanted({ session, wanted: true, epoch: 2, group, rules });
    const fresh = await test.pod(session, (pod) => pod?.epoch === 2);
    assert.equal(isAlive(first?.pid ?? 0), false);
    assert.notEqual(fresh?.podUid, old?.podUid);
    assert.notEqual(fresh?.tokenHash, old?.tokenHash);
  });

  it("gives the proxy its rules in a file for itself, and new rules without a restart", async () => {
    await using test = await startTestSystem();
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    const [proxy] = await until(async () => orNone(await test.started("proxy-helper-0123456789ab")), "the proxy");
    const path = proxy?.env.COPEPOD_RULES_FILE ?? "";
    assert.deepEqual(JSON.parse(await readFile(path, "utf8")), rules);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal(proxy?.env.COPEPOD_KEYS_DIR, join(test.home, "keys"));
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules: { ...rules, group: "renamed" } });
    assert.equal(JSON.parse(await readFile(path, "utf8")).group, "renamed");
    assert.equal((await test.started("proxy-helper-0123456789ab")).length, 1);
  });

  it("refuses an epoch before the last one", async () => {
    await using test = await startTestSystem();
    await test.supervisor.putWanted({ session, wanted: true, epoch: 2, group, rules });
    const late = test.supervisor.putWanted({ session, wanted: false, epoch: 1, group, rules });
    await assert.rejects(late, { code: "superseded" });
  });

  it("may start again at a smaller epoch when nothing of it runs", async () => {
    await using test = await startTestSystem();
    await test.supervisor.putWanted({ session, wanted: true, epoch: 5, group, rules });
    await test.pod(session, isRunning);
    await test.supervisor.putWanted({ session, wanted: false, epoch: 6, group, rules });
    await test.pod(session, isGone);
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    assert.equal((await test.pod(session, isRunning))?.epoch, 1);
  });

  it("that was never started refuses no epoch", async () => {
    await using test = await startTestSystem();
    await test.supervisor.putWanted({ session, wanted: false, epoch: 6, group, rules });
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    assert.equal((await test.pod(session, isRunning))?.epoch, 1);
  });

  it("fails with a reason after five starts that failed, and rests until a greater epoch", async () => {
    await using test = await startTestSystem({ runner: "failing" });
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    const failed = await test.pod(session, (pod) => pod?.phase === "Failed");
    assert.equal(failed?.reason, "the runner ended with exit code 7: Error: the fixture fails on purpose");
    const [proxy] = await test.started("proxy-helper-0123456789ab");
    await until(() => !isAlive(proxy?.pid ?? 0), "the end of the proxy");
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    assert.equal((await test.pod(session, () => true))?.phase, "Failed");
    await test.supervisor.putWanted({ session, wanted: true, epoch: 2, group, rules });
    await test.pod(session, (pod) => pod?.epoch === 2 && pod.phase !== "Failed");
  });

  for (const name of ["default/../../etc", "default/..", "other/helper", "default/A"]) {
    it(`is refused under the name ${name}`, async () => {
      await using test = await startTestSystem();
      const put = test.supervisor.putWanted({ session: name, wanted: true, epoch: 1, group, rules });
      await assert.rejects(put, { code: "invalid" });
    });
  }
});

describe("a session that is not wanted any more", () => {
  it("loses its processes and its place in the run folder, and keeps its files", async () => {
    await using test = await startTestSystem();
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    await test.pod(session, isRunning);
    const [runner] = await until(async () => orNone(await test.started("runner-helper-0123456789ab")), "the runner");
    await test.supervisor.putWanted({ session, wanted: false, epoch: 1, group, rules });
    await test.pod(session, isGone);
    assert.equal(isAlive(runner?.pid ?? 0), false);
    assert.equal(existsSync(dirname(runner?.env.COPEPOD_PROXY_SOCKET ?? "")), false);
    assert.equal(existsSync(runner?.env.COPEPOD_WORKSPACE ?? ""), true);
  });

  it("is killed, with all that it started, when it does not end in its grace time", async () => {
    await using test = await startTestSystem({ runner: "stubborn" });
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    const [runner] = await until(async () => orNone(await test.started("runner-helper-0123456789ab")), "the runner");
    await test.supervisor.putWanted({ session, wanted: false, epoch: 1, group, rules });
    await test.pod(session, isGone);
    assert.equal(isAlive(runner?.pid ?? 0), false);
    await until(() => !isAlive(runner?.grandchild ?? 0), "the end of what it started");
  });
});

describe("the list of processes", () => {
  it("answers a long poll as soon as something changes", async () => {
    await using test = await startTestSystem();
    const { version } = await test.supervisor.watch({ version: -1, waitMs: 0 });
    const next = test.supervisor.watch({ version, waitMs: 30_000 });
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    assert.deepEqual(
      (await next).pods.map((pod) => pod.session),
      [session],
    );
  });

  it("answers with the same version when nothing has changed in time", async () => {
    await using test = await startTestSystem();
    const { version } = await test.supervisor.watch({ version: -1, waitMs: 0 });
    assert.equal((await test.supervisor.watch({ version, waitMs: 20 })).version, version);
  });
});

describe("channels with external adapters", () => {
  it("have one host each, as the full list says", async () => {
    await using test = await startTestSystem();
    await test.supervisor.putChannels({ channels: [{ channel: "default/a", type: "test" }] });
    const [host] = await until(async () => orNone(await test.started("host-a")), "the host");
    assert.equal(host?.env.COPEPOD_CHANNEL_TYPE, "test");
    const token = await readFile(host?.env.COPEPOD_TOKEN_FILE ?? "", "utf8");
    const { hosts } = await test.supervisor.watch({ version: -1, waitMs: 0 });
    const tokenHash = createHash("sha256").update(token).digest("hex");
    assert.deepEqual(hosts, [{ channel: "default/a", tokenHash, phase: "Running" }]);

    await test.supervisor.putChannels({ channels: [{ channel: "default/b", type: "test" }] });
    const after = await test.supervisor.watch({ version: -1, waitMs: 0 });
    assert.deepEqual(
      after.hosts.map((one) => one.channel),
      ["default/b"],
    );
    assert.equal(isAlive(host?.pid ?? 0), false);
  });
});

describe("a host whose token file can't be written", () => {
  it("is tried again, and holds up no other host", async () => {
    await using test = await startTestSystem();
    const inTheWay = join(test.system.run.hosts, "a");
    await mkdir(inTheWay);
    const channels = ["default/a", "default/b"].map((channel) => ({ channel, type: "test" }));
    await test.supervisor.putChannels({ channels });
    await until(async () => (await test.started("host-b"))[0], "the other host");
    await rm(inTheWay, { recursive: true });
    await until(async () => (await test.started("host-a"))[0], "the host");
  });
});

describe("the router", () => {
  it("is started again when it dies, and the person is told once", async () => {
    await using test = await startTestSystem();
    await test.supervisor.watch({ version: -1, waitMs: 0 });
    for (const count of [1, 2]) {
      const started = await until(async () => orNone((await test.started("router")).slice(count - 1)), "a router");
      process.kill(started[0]?.pid ?? 0, "SIGKILL");
    }
    await until(async () => (await test.started("router")).length === 3, "the third router");
    assert.deepEqual(test.sentences, ["The router ended by SIGKILL; starting it again."]);
  });

  it("is given up when it never came as far as to speak to the supervisor", async () => {
    await using test = await startTestSystem({ router: "failing" });
    assert.match(await test.system.routerFailed, /exit code 7: Error: the fixture fails on purpose/);
  });
});

describe("a run folder that is removed under a running supervisor", () => {
  it("is made again, with the socket, when a child has to be started, and the children come back", async () => {
    await using test = await startTestSystem();
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    await test.supervisor.putChannels({ channels: [{ channel: "default/a", type: "test" }] });
    const logs = ["router", "host-a", "proxy-helper-0123456789ab", "runner-helper-0123456789ab"];
    const pids: number[] = [];
    for (const log of logs) pids.push((await until(async () => (await test.started(log))[0], log)).pid);
    await rm(test.system.run.folder, { recursive: true });
    for (const pid of pids) process.kill(pid, "SIGKILL");
    for (const log of logs) await until(async () => (await test.started(log))[1], `${log} again`);
    await until(() => existsSync(test.system.run.supervisorSocket), "the socket");
    const { supervisor, close } = connectSupervisor(test.system.run);
    const { pods, hosts } = await supervisor.watch({ version: -1, waitMs: 0 });
    await close();
    assert.deepEqual([pods[0]?.phase, hosts[0]?.phase], ["Running", "Running"]);
    const [, proxy] = await test.started("proxy-helper-0123456789ab");
    const token = await readFile(proxy?.env.COPEPOD_TOKEN_FILE ?? "", "utf8");
    assert.equal(createHash("sha256").update(token).digest("hex"), pods[0]?.tokenHash);
  });

  it("is waited for, with a reason, while it can't be made", async () => {
    await using test = await startTestSystem();
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    await test.supervisor.putChannels({ channels: [{ channel: "default/a", type: "test" }] });
    const logs = ["router", "host-a", "runner-helper-0123456789ab"];
    const pids: number[] = [];
    for (const log of logs) pids.push((await until(async () => (await test.started(log))[0], log)).pid);
    await rm(test.system.run.folder, { recursive: true });
    await writeFile(test.system.run.folder, "in the way");
    for (const pid of pids) process.kill(pid, "SIGKILL");
    const failed = await test.pod(session, (pod) => pod?.phase === "Failed");
    assert.match(failed?.reason ?? "", /^the runner could not be started: EEXIST/);
    await rm(test.system.run.folder);
    for (const log of ["router", "host-a"]) await until(async () => (await test.started(log))[1], `${log} again`);
  });
});

describe("the end of the supervisor", () => {
  it("ends every child and removes the run folder", async () => {
    const test = await startTestSystem();
    await test.supervisor.putWanted({ session, wanted: true, epoch: 1, group, rules });
    await test.supervisor.putChannels({ channels: [{ channel: "default/a", type: "test" }] });
    const logs = ["router", "host-a", "proxy-helper-0123456789ab", "runner-helper-0123456789ab"];
    const pids: number[] = [];
    for (const log of logs) pids.push((await until(async () => (await test.started(log))[0], log)).pid);
    await test.system.close();
    assert.deepEqual(pids.filter(isAlive), []);
    assert.equal(existsSync(test.system.run.folder), false);
    await test[Symbol.asyncDispose]();
  });
});

const orNone = <T>(list: readonly T[]): readonly T[] | undefined => (list.length > 0 ? list : undefined);
