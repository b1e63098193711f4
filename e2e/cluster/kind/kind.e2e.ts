import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../../support/until.ts";
import { findBinaries } from "../binaries/find.ts";
import { writeBusyboxImage } from "../images/standard.ts";
import { type Footprint, footprint } from "../native/testing/footprint.ts";
import { findProcess } from "../processes.ts";
import { answers, chooseDocker } from "./engine.ts";

const silenceSeconds = 2;
const patienceMs = 60_000;
const address = "web.story.svc.cluster.local";

const main = fileURLToPath(new URL("../main.ts", import.meta.url));
const fixture = (name: string): string => fileURLToPath(new URL(`../native/testing/${name}`, import.meta.url));
const { signal } = new AbortController();
const say = (line: string) => void process.stderr.write(`${line}\n`);

interface Answer {
  readonly code: number | null;
  readonly output: string;
  readonly complaint: string;
}

async function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Answer> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
  child.stderr.pipe(process.stderr, { end: false });
  const [output, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, output, complaint };
}

function outputOf({ code, output, complaint }: Answer): string {
  assert.equal(code, 0, complaint);
  return output;
}

const hasEngine = await answers({ env: chooseDocker }, signal);
const isRequired = process.env.COPEPOD_REQUIRE_CLUSTER === "1";
const can = hasEngine || (process.platform === "linux" && process.getuid?.() === 0);
const skip = !can && !isRequired && "a kind cluster needs a Docker engine, or root on Debian to make one";
const onlyOwn = hasEngine && "the engine is the machine's: it is not ours to kill";
const onlyOfficial = !hasEngine && "kindnetd, which enforces policies, is in the official node image only";

describe(`a kind cluster in ${hasEngine ? "the machine's engine" : "an engine of its own"}`, { skip }, () => {
  // Nothing else on the machine is called so.
  const name = `kind-${process.pid}`;
  let home: string;
  let earlier: Footprint;
  let kubectlProgram: string;

  const folder = () => join(home, "copepod", "clusters", name);
  const cluster = (verb: string, ...args: readonly string[]) =>
    run(process.execPath, [main, verb, `--name=${name}`, ...args], { XDG_STATE_HOME: home });
  const up = async () => outputOf(await cluster("up", "--provider=kind", ...(hasEngine ? [] : ["--own-engine"])));
  const kubectl = (...args: readonly string[]) =>
    run(kubectlProgram, [
      `--kubeconfig=${join(folder(), "kubeconfig")}`,
      `--cache-dir=${join(home, "kubectl")}`,
      ...args,
    ]);
  const ask = async (...args: readonly string[]) => outputOf(await kubectl(...args));
  const shell = (pod: string, command: string) => kubectl("exec", "--namespace=story", pod, "--", "sh", "-c", command);
  const readsPage = async (pod: string) => {
    const { output } = await shell(pod, `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w ${silenceSeconds} ${address} 80`);
    return output.includes("written by 1000");
  };

  before(async () => {
    home = await mkdtemp(join(tmpdir(), "kind-"));
    kubectlProgram = (await findBinaries(["kubectl"], { env: process.env, say, signal })).kubectl;
    earlier = await footprint([name], home);
  });

  after(async () => {
    await cluster("down");
    await rm(home, { recursive: true, force: true });
  });

  it("is made by one line, and reached from outside of its network", async () => {
    await up();
    assert.match(await ask("get", "nodes"), new RegExp(`^copepod-${name}-control-plane +Ready .* v1\\.35\\.`, "m"));
    assert.equal((await cluster("status")).code, 0);
  });

  it("runs a pod of two containers that share a folder of a volume, as Pod Security “restricted” has it", async () => {
    outputOf(await cluster("load", await writeBusyboxImage("/bin/busybox", home)));
    await ask("apply", "-f", fixture("story.yaml"));
    await ask("wait", "--for=condition=Ready", "--namespace=story", "pod", "--all", `--timeout=${patienceMs}ms`);
    await until("the page is written", () => readsPage("friend"), patienceMs);
    assert.match(await ask("get", "pvc", "--namespace=story"), /Bound.*standard/);
  });

  it("refuses a pod that “restricted” does not allow", async () => {
    assert.match(
      (await kubectl("apply", "-f", fixture("root-pod.yaml"))).complaint,
      /violates PodSecurity "restricted/,
    );
  });

  it("gives a command its network and its kubeconfig", async () => {
    const answer = await cluster("exec", "--", "sh", "-c", "kubectl get nodes; exit 7");
    assert.equal(answer.code, 7);
    assert.match(answer.output, / Ready /);
  });

  it("keeps a log of what is written", async () => {
    const log = await readFile(join(folder(), "audit.log"), "utf8");
    assert.match(log, /"verb":"create".*"resource":"pods","namespace":"story","name":"web"/);
  });

  it("enforces a network policy", { skip: onlyOfficial }, async () => {
    assert.ok(await readsPage("stranger"), "without a policy everyone may");
    await ask("apply", "-f", fixture("policy.yaml"));
    await until("the stranger is blocked", async () => !(await readsPage("stranger")), patienceMs);
    assert.ok(await readsPage("friend"));
  });

  it("answers names of the cluster, and no others", { skip: onlyOwn }, async () => {
    const { output } = await shell("friend", `nslookup ${address}; nslookup example.com`);
    assert.match(output, new RegExp(`Name:\\s+${address}\\s+Address: 10\\.96\\.`));
    assert.match(output, /can't find example.com/);
  });

  it("comes back with its pods and their files after its engine was killed", { skip: onlyOwn }, async () => {
    const engine = await findProcess(folder(), "dockerd");
    assert.ok(engine);
    const uid = await ask("get", "pod", "web", "--namespace=story", "--output=jsonpath={.metadata.uid}");
    process.kill(engine.pid, "SIGKILL");
    assert.notEqual((await cluster("status")).code, 0);
    await up();
    await until("the pod serves its page", () => readsPage("friend"), patienceMs);
    assert.equal(await ask("get", "pod", "web", "--namespace=story", "--output=jsonpath={.metadata.uid}"), uid);
  });

  it("leaves nothing when it is taken down, and there is nothing to take down again", async () => {
    const during = await footprint([name], home);
    assert.notDeepEqual(during.processes, [], "its processes are seen");
    outputOf(await cluster("down"));
    outputOf(await cluster("down"));
    await rm(home, { recursive: true });
    const left = await footprint([name], home);
    // The machine's engine keeps its network for the next cluster.
    assert.deepEqual(hasEngine ? left.processes : left, hasEngine ? earlier.processes : earlier);
  });
});
