import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { controlPlaneGate } from "../support/control-plane.ts";
import { isAlive } from "../support/processes.ts";
import { until } from "../support/until.ts";

const main = fileURLToPath(new URL("main.ts", import.meta.url));
const skip = await controlPlaneGate();

const statusSchema = z.object({
  clusters: z.array(
    z.object({
      name: z.string(),
      provider: z.string(),
      state: z.string(),
      folder: z.string(),
      kubeconfig: z.string(),
      parts: z.array(z.object({ name: z.string(), state: z.string(), detail: z.string().optional() })),
    }),
  ),
});

describe("npm run cluster", () => {
  let home: string;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), "cluster-main-"));
  });
  after(async () => {
    const { clusters } = await status();
    for (const { name } of clusters) await cluster("down", "--name", name);
    await rm(home, { recursive: true });
  });

  const start = (...args: readonly string[]) =>
    spawn(process.execPath, [main, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      cwd: home,
      env: { ...process.env, XDG_STATE_HOME: join(home, "state"), INIT_CWD: home },
    });

  async function cluster(...args: readonly string[]) {
    const child = start(...args);
    const [output, said, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code, output, said };
  }

  async function status() {
    return statusSchema.parse(JSON.parse((await cluster("status", "-o", "json")).output));
  }

  /** Ids of all processes that the status of a cluster tells. */
  async function pids(name: string): Promise<number[]> {
    const found = (await status()).clusters.find((one) => one.name === name);
    return (found?.parts ?? []).flatMap(({ detail }) => /^process (\d+)$/.exec(detail ?? "")?.[1] ?? []).map(Number);
  }

  async function succeed(...args: readonly string[]): Promise<string> {
    const { code, output, said } = await cluster(...args);
    assert.equal(code, 0, said);
    return output;
  }

  it("explains itself, and what is wrong with a command line", async () => {
    assert.match(await succeed("--help"), /npm run cluster -- up/);
    const { code, said } = await cluster("upp");
    assert.equal(code, 2);
    assert.match(said, /no command “upp”; see --help/);
  });

  it("has nothing to show, to remove or to use at first", async () => {
    assert.deepEqual(await status(), { clusters: [] });
    assert.match(await succeed("status"), /there is no cluster/);
    await succeed("down");
    assert.equal((await cluster("exec", "--", "true")).code, 3);
    assert.equal((await cluster("status", "--name", "other")).code, 3);
  });

  it("makes a control plane, shows it, runs commands with it and removes it without a trace", { skip }, async () => {
    await succeed("up", "--control-plane", "--name", "one");
    const [shown] = (await status()).clusters;
    assert.ok(shown);
    assert.deepEqual([shown.name, shown.provider, shown.state], ["one", "control-plane", "up"]);
    assert.match(
      await succeed("status", "--name", "one"),
      /^one {2}control-plane {2}up .*kubeconfig\n {2}kube-apiserver {2}running/,
    );
    const inside = await succeed("exec", "--name", "one", "--", "sh", "-c", "echo $KUBECONFIG; pwd");
    assert.deepEqual(inside.trim().split("\n"), [shown.kubeconfig, home]);
    assert.equal((await cluster("exec", "--name", "one", "--", "sh", "-c", "exit 7")).code, 7);
    assert.equal((await cluster("exec", "--name", "one", "--", "sh", "-c", "kill -9 $$")).code, 137);
    assert.equal((await cluster("exec", "--name", "one", "--", "no-such-program")).code, 3);
    assert.match((await cluster("load", "--name", "one", "image")).said, /no node/);
    const script = "process.on('SIGTERM', () => process.exit(9)); console.log('up'); setInterval(() => {}, 1e3)";
    const child = start("exec", "--name", "one", "--", process.execPath, "--eval", script);
    await once(child.stdout, "data");
    child.kill("SIGINT");
    child.kill("SIGTERM");
    assert.deepEqual(await once(child, "close"), [9, null]);
    const running = await pids("one");
    assert.equal(running.length, 2);
    await succeed("down", "--name", "one");
    for (const pid of running) assert.equal(await isAlive(pid), false);
    assert.equal(existsSync(shown.folder), false);
    assert.deepEqual(await status(), { clusters: [] });
  });

  it("changes nothing when it is up already, and mends what was killed", { skip }, async () => {
    await succeed("up", "--control-plane", "--name", "kept");
    const first = await pids("kept");
    await succeed("up", "--name", "kept");
    await succeed("up", "--name", "kept", "--control-plane");
    assert.deepEqual(await pids("kept"), first);
    for (const pid of first) process.kill(pid, "SIGKILL");
    assert.equal((await cluster("status", "--name", "kept")).code, 1);
    assert.equal((await status()).clusters[0]?.state, "broken");
    await succeed("up", "--name", "kept");
    const second = await pids("kept");
    assert.equal(second.length, 2);
    for (const pid of first) assert.ok(!second.includes(pid));
    const { code, said } = await cluster("up", "--name", "kept", "--provider", "native");
    assert.equal(code, 4);
    assert.match(said, /kept is another kind of cluster already \(control-plane\)/);
    await succeed("down", "--name", "kept");
  });

  it("counts as broken while its API server is stuck, though all its processes run", { skip }, async () => {
    await succeed("up", "--control-plane", "--name", "stuck");
    const [server] = await pids("stuck");
    assert.ok(server);
    process.kill(server, "SIGSTOP");
    const { code, output } = await cluster("status", "--name", "stuck");
    assert.equal(code, 1);
    assert.match(output, /^stuck {2}control-plane {2}broken .*readiness +ended/s);
    process.kill(server, "SIGCONT");
    await succeed("status", "--name", "stuck");
    await succeed("down", "--name", "stuck");
  });

  it("shows and removes what is there of a cluster that nobody knows any more", { skip }, async () => {
    await succeed("up", "--control-plane", "--name", "unknown");
    const running = await pids("unknown");
    const folder = join(home, "state", "copepod", "clusters", "unknown");
    await writeFile(join(folder, "cluster.json"), "{}");
    await mkdir(join(folder, "..", "half"));
    const { clusters } = await status();
    assert.deepEqual(clusters.map(({ name, provider, state }) => `${name} ${provider} ${state}`).sort(), [
      "half unknown broken",
      "unknown unknown broken",
    ]);
    assert.match((await cluster("up", "--name", "unknown")).said, /cluster\.json is not readable: `down` removes/);
    for (const name of ["unknown", "half"]) await succeed("down", "--name", name);
    for (const pid of running) assert.equal(await isAlive(pid), false);
    assert.deepEqual(await status(), { clusters: [] });
  });

  it("makes two at once, also one cluster by two who want it at once", { skip }, async () => {
    const names = ["left", "right", "right"];
    await Promise.all(names.map((name) => succeed("up", "--control-plane", "--name", name)));
    const both = (await status()).clusters.map(({ name, state }) => `${name} ${state}`);
    assert.deepEqual(both.sort(), ["left up", "right up"]);
    assert.equal(new Set([...(await pids("left")), ...(await pids("right"))]).size, 4);
    await succeed("down", "--name", "left");
    assert.deepEqual(
      (await status()).clusters.map(({ name, state }) => `${name} ${state}`),
      ["right up"],
    );
    await succeed("down", "--name", "right");
  });

  it("goes on after Ctrl-C in the middle", { skip }, async () => {
    const child = start("up", "--control-plane", "--name", "halfway");
    const record = join(home, "state", "copepod", "clusters", "halfway", "processes", "etcd");
    const said = text(child.stderr);
    await until("etcd is started", () => existsSync(record));
    child.kill("SIGINT");
    const [code] = await once(child, "close");
    assert.equal(code, 130);
    assert.match(await said, /interrupted; `up` goes on from here, `down` removes what there is/);
    await succeed("up", "--name", "halfway");
    await succeed("down", "--name", "halfway");
  });

  it("removes what one left that was killed in the middle", { skip }, async () => {
    const child = start("up", "--control-plane", "--name", "torn");
    const folder = join(home, "state", "copepod", "clusters", "torn");
    const record = join(folder, "processes", "etcd");
    await until("etcd is started", async () => existsSync(record) && (await readFile(record, "utf8")).includes(" "));
    const etcd = Number.parseInt(await readFile(record, "utf8"), 10);
    child.kill("SIGKILL");
    await once(child, "close");
    await succeed("down", "--name", "torn");
    assert.equal(await isAlive(etcd), false);
    assert.equal(existsSync(folder), false);
  });

  it("uses a cluster that it is given, and leaves it alone", { skip }, async () => {
    await succeed("up", "--control-plane", "--name", "theirs");
    const [theirs] = (await status()).clusters;
    assert.ok(theirs);
    await succeed("up", "--kubeconfig", theirs.kubeconfig, "--name", "ours");
    const ours = (await status()).clusters.find(({ name }) => name === "ours");
    assert.deepEqual([ours?.provider, ours?.state, ours?.kubeconfig], ["kubeconfig", "up", theirs.kubeconfig]);
    assert.match(await succeed("exec", "--name", "ours", "--", "kubectl", "get", "namespaces"), /kube-system/);
    await succeed("down", "--name", "ours");
    assert.equal((await cluster("status", "--name", "theirs")).code, 0);
    await succeed("down", "--name", "theirs");
    const { code, said } = await cluster("up", "--kubeconfig", "nothing-there", "--name", "ours");
    assert.equal(code, 1);
    assert.match(said, /the cluster of .*nothing-there does not answer/);
    await succeed("down", "--name", "ours");
  });
});
