import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../../support/until.ts";
import { findBinaries } from "../binaries/find.ts";
import { writeImageArchive } from "../images/archive.ts";
import { findProcess } from "../processes.ts";
import { type Footprint, footprint, processesOf, zombiesBelow } from "./testing/footprint.ts";

/** How long nothing has to come before it counts as blocked; what passes needs a few milliseconds. */
const silenceSeconds = 2;
const patienceMs = 60_000;

const main = fileURLToPath(new URL("../main.ts", import.meta.url));
const fixture = (name: string): string => fileURLToPath(new URL(`testing/${name}`, import.meta.url));

interface Answer {
  readonly code: number | null;
  readonly output: string;
  readonly complaint: string;
}

async function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Answer> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  const [output, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, output, complaint };
}

function outputOf({ code, output, complaint }: Answer): string {
  assert.equal(code, 0, complaint);
  return output;
}

const isRequired = process.env.COPEPOD_REQUIRE_CLUSTER === "1";
const can = process.platform === "linux" && process.getuid?.() === 0;
const skip = !can && !isRequired && "a native cluster needs root on Linux";

describe("a native cluster", { skip }, () => {
  // Nothing else on the machine is called so.
  const [name, other] = [`e2e-${process.pid}`, `e2e-${process.pid}-two`];
  let home: string;
  let earlier: Footprint;
  let kubectlProgram: string;

  const folderOf = (cluster: string) => join(home, "copepod", "clusters", cluster);
  const cluster = (...args: readonly string[]) => run(process.execPath, [main, ...args], { XDG_STATE_HOME: home });
  const up = async (which: string) => outputOf(await cluster("up", "--provider=native", `--name=${which}`));
  const nodeOf = async (which: string) => (await findProcess(folderOf(which), "node"))?.pid;
  const kubectl = (...args: readonly string[]) =>
    run(kubectlProgram, [
      `--kubeconfig=${join(folderOf(name), "kubeconfig")}`,
      "--cache-dir",
      join(home, "kubectl"),
      ...args,
    ]);
  const ask = async (...args: readonly string[]) => outputOf(await kubectl(...args));
  const ready = (pod: string, namespace = "story") =>
    ask("wait", "--for=condition=Ready", `--namespace=${namespace}`, `pod/${pod}`, `--timeout=${patienceMs}ms`);
  const shell = (pod: string, command: string) => kubectl("exec", "--namespace=story", pod, "--", "sh", "-c", command);
  const address = "web.story.svc.cluster.local";
  const readsPage = async (pod: string) => {
    const { output } = await shell(pod, `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w ${silenceSeconds} ${address} 80`);
    return output.includes("written by 1000");
  };

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "native-"));
    const say = (line: string) => void process.stderr.write(`${line}\n`);
    const { signal } = new AbortController();
    kubectlProgram = (await findBinaries(["kubectl"], { env: process.env, say, signal })).kubectl;
    earlier = await footprint([name, other], home);
  });

  after(async () => {
    for (const which of [name, other]) await cluster("down", `--name=${which}`);
    await rm(home, { recursive: true, force: true });
  });

  it("is made by one line", async () => {
    await up(name);
    assert.match(await ask("get", "nodes"), new RegExp(`^${name} +Ready `, "m"));
    assert.equal((await cluster("status", `--name=${name}`)).code, 0);
  });

  it("is left as it is when it is made again", async () => {
    const before = await nodeOf(name);
    await up(name);
    assert.equal(await nodeOf(name), before);
  });

  it("gives a command its network, in which the node has an address", async () => {
    const answer = await cluster(
      "exec",
      `--name=${name}`,
      "--",
      "sh",
      "-c",
      "ip -o address; kubectl get nodes; exit 7",
    );
    assert.equal(answer.code, 7);
    assert.match(answer.output, /10\.200\.0\.1\/24/);
    assert.match(answer.output, / Ready /);
  });

  it("runs a pod of two containers that share a folder of a volume, as Pod Security “restricted” has it", async () => {
    await ask("apply", "-f", fixture("story.yaml"));
    for (const pod of ["web", "friend", "stranger"]) await ready(pod);
    await until("the page is written", () => readsPage("friend"), patienceMs);
    assert.match(await ask("get", "pvc", "--namespace=story"), /Bound.*standard/);
  });

  it("leads pods to a program that runs in its network", async () => {
    const serve = 'require("node:http").createServer((_, answer) => answer.end("from outside")).listen(9999)';
    const words = [main, "exec", `--name=${name}`, "--", process.execPath, "--eval", serve];
    const program = spawn(process.execPath, words, { stdio: "ignore", env: { ...process.env, XDG_STATE_HOME: home } });
    const isReached = async () => {
      const { output } = await shell("friend", "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 10.200.0.1 9999");
      return output.includes("from outside");
    };
    try {
      await until("the pod reaches the program", isReached, patienceMs);
    } finally {
      program.kill();
      await once(program, "exit");
    }
    assert.equal(await isReached(), false);
  });

  it("refuses a pod that “restricted” does not allow", async () => {
    const { code, complaint } = await kubectl("apply", "-f", fixture("root-pod.yaml"));
    assert.notEqual(code, 0);
    assert.match(complaint, /violates PodSecurity "restricted/);
  });

  it("answers names of the cluster, and no others", async () => {
    const { output } = await shell("friend", `nslookup ${address}; nslookup example.com`);
    assert.match(output, new RegExp(`Name:\\s+${address}\\s+Address: 10\\.96\\.`));
    assert.match(output, /can't find example.com: NXDOMAIN/);
  });

  it("enforces a network policy", async () => {
    assert.ok(await readsPage("stranger"), "without a policy everyone may");
    await ask("apply", "-f", fixture("policy.yaml"));
    await until("the stranger is blocked", async () => !(await readsPage("stranger")), patienceMs);
    assert.ok(await readsPage("friend"));
    await ask("delete", "-f", fixture("policy.yaml"));
    await until("the stranger is let in again", () => readsPage("stranger"), patienceMs);
  });

  it("runs an image that was loaded, and refuses what is none", async () => {
    const files = { "/hello": fixture("hello.sh"), "/bin/sh": "/bin/busybox" };
    const image = { name: "localhost/loaded", tag: "1", files, entrypoint: ["/bin/sh", "/hello"] };
    outputOf(await cluster("load", `--name=${name}`, await writeImageArchive(image, home)));
    await ask("apply", "-f", fixture("loaded-pod.yaml"));
    await ready("loaded", "default");
    assert.equal(await ask("logs", "loaded"), "loaded\n");
    const { code, complaint } = await cluster("load", `--name=${name}`, fixture("hello.sh"));
    assert.equal(code, 1);
    assert.match(complaint, /is no image/);
  });

  it("starts a component again that is killed", async () => {
    const [scheduler] = await processesOf(name, "kube-scheduler");
    assert.ok(scheduler);
    process.kill(scheduler, "SIGKILL");
    await until("another one runs", async () => {
      const [next] = await processesOf(name, "kube-scheduler");
      return next !== undefined && next !== scheduler;
    });
    await ask("delete", "pod", "loaded");
    await ask("apply", "-f", fixture("loaded-pod.yaml"));
    await ready("loaded", "default");
    assert.deepEqual(await zombiesBelow(await nodeOf(name)), [], "the shims of pods that are gone");
  });

  it("comes back with its pods and their files after its node was killed", async () => {
    const killed = await nodeOf(name);
    assert.ok(killed);
    const uid = await ask("get", "pod", "web", "--namespace=story", "--output=jsonpath={.metadata.uid}");
    process.kill(killed, "SIGKILL");
    assert.notEqual((await cluster("status", `--name=${name}`)).code, 0);
    await up(name);
    await until("the pod serves its page", () => readsPage("friend"), patienceMs);
    assert.equal(await ask("get", "pod", "web", "--namespace=story", "--output=jsonpath={.metadata.uid}"), uid);
    assert.ok(await readsPage("stranger"));
  });

  it("runs beside another one", async () => {
    await up(other);
    const words = ["exec", `--name=${other}`, "--", "kubectl", "get", "nodes,namespaces", "--output=name"];
    const there = outputOf(await cluster(...words));
    assert.match(there, new RegExp(`node/${other}`));
    assert.doesNotMatch(there, /namespace\/story/);
    outputOf(await cluster("down", `--name=${other}`));
    assert.ok(await readsPage("friend"), "the first one serves on");
  });

  it("leaves nothing when it is taken down, and there is nothing to take down again", async () => {
    const during = await footprint([name, other], home);
    for (const kind of ["processes", "cgroups"] as const) assert.notDeepEqual(during[kind], [], `${kind} are seen`);
    outputOf(await cluster("down", `--name=${name}`));
    outputOf(await cluster("down", `--name=${name}`));
    await rm(home, { recursive: true });
    assert.deepEqual(await footprint([name, other], home), earlier);
  });
});
