import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { containers, podPaths, ports } from "@copepod/core/cluster";
import { terminalResources } from "../support/system.ts";
import { until } from "../support/until.ts";
import type { Cannot } from "./cannot.ts";
import { ClusterSystem } from "./cluster-system.ts";
import {
  agentsNamespace,
  type Installation,
  isReady,
  patienceMs,
  type SeenPod,
  systemNamespace,
} from "./installation.ts";
import * as probes from "./probes.ts";

const openNamespace = "open";
const canary = `canary-${crypto.randomUUID()}`;
const metadataAddress = "169.254.169.254";

/** Who tries: a container of a pod. */
interface Place {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

interface Target {
  readonly host: string;
  readonly port: number;
  /** From where it is reached: a probe that works nowhere shows nothing. */
  readonly control: Place;
}

interface Scene extends AsyncDisposable {
  readonly agent: Place;
  readonly targets: Readonly<Record<(typeof targets)[number], Target>>;
}

/** What a hostile agent can reach from its container; each probe is shown to work from where it should. */
export function tellSecurity(its: () => Installation, { enforcePolicies }: Cannot): void {
  describe("from inside the agent's container", () => {
    let system: ClusterSystem;
    let scene: Scene;
    before(async () => {
      const installation = its();
      await installation.apply([
        { apiVersion: "v1", kind: "Secret", metadata: { name: "canary" }, stringData: { key: canary } },
      ]);
      const [group, ...others] = terminalResources();
      const withKey = { ...group, spec: { credentials: ["canary"] } };
      system = await ClusterSystem.start(installation, [withKey, ...others, credential]);
      await system.ask("one", "hello");
      await system.ask("two", "hello");
      scene = await setScene(installation);
    });
    after(async () => {
      await system?.[Symbol.asyncDispose]();
      await scene?.[Symbol.asyncDispose]();
      await its().ask("delete", "namespace", openNamespace, "--ignore-not-found");
    });

    const attempt = async (place: Place, script: string, ...args: readonly string[]): Promise<boolean> => {
      const { namespace, pod, container } = place;
      const exec = ["exec", pod, `--namespace=${namespace}`, `--container=${container}`, "--"];
      return (await its().kubectl([...exec, "node", "--eval", script, ...args])).code === 0;
    };

    for (const target of targets) {
      it(`${target} is not reached`, { skip: enforcePolicies }, async () => {
        const { host, port, control } = scene.targets[target];
        assert.equal(await attempt(control, probes.connects, host, String(port)), true, "the probe works elsewhere");
        assert.equal(await attempt(scene.agent, probes.connects, host, String(port)), false);
      });
    }

    it("its mailbox relay and names are reached, so that the probes show something", async () => {
      assert.equal(await attempt(scene.agent, probes.reads, podPaths.run), true);
      assert.equal(await attempt(scene.agent, probes.resolves, `copepod-router-mailbox.${systemNamespace}.svc`), true);
    });

    for (const path of [podPaths.keys, podPaths.token, podPaths.rules, "/var/run/secrets/kubernetes.io"]) {
      it(`${path} is not there`, async () => {
        assert.equal(await attempt(scene.agent, probes.reads, path), false);
        if (path.startsWith("/var/run/secrets/kubernetes.io")) return;
        assert.equal(await attempt({ ...scene.agent, container: containers.proxy }, probes.reads, path), true);
      });
    }

    it("the key is in no process that it sees", async () => {
      for (const place of ["environ", "cmdline"]) {
        assert.equal(await attempt(scene.agent, probes.findsInProcesses, canary, place), false);
        assert.equal(await attempt(scene.agent, probes.findsInProcesses, "main.js", "cmdline"), true);
      }
    });

    it("nothing outside of its volumes, and nothing of the proxy's, can be written", async () => {
      for (const path of [
        "/x",
        "/etc/x",
        `${podPaths.run}/x`,
        `${podPaths.instructions}/instructions.md`,
        podPaths.socket,
      ])
        assert.equal(await attempt(scene.agent, probes.writes, path), false, path);
      for (const path of ["/tmp/x", "/workspace/x", "/agent/x"])
        assert.equal(await attempt(scene.agent, probes.writes, path), true, path);
    });

    it("files of another session and another group are not there", async () => {
      const { output } = await its().kubectl([
        ...["exec", scene.agent.pod, `--namespace=${agentsNamespace}`, `--container=${containers.agent}`, "--"],
        ...["sh", "-c", "ls / /workspace /agent; cat /proc/self/mountinfo"],
      ]);
      const [own] = /sessions\/[a-z0-9-]+/.exec(output) ?? [];
      assert.ok(own);
      assert.deepEqual([...new Set(output.match(/sessions\/[a-z0-9-]+/g))], [own]);
    });
  });

  it("the agents' namespace refuses pods that are not restricted", async () => {
    const bad = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "bad" },
      spec: { containers: [{ name: "a", image: "localhost/busybox:1", securityContext: { privileged: true } }] },
    };
    await assert.rejects(its().apply([bad]), /violates PodSecurity "restricted/);
  });
}

const targets = [
  "the API server by its Service",
  "the API server by the node's address",
  "the kubelet",
  "the router's admin API",
  "the router's channel API",
  "the router's metrics",
  "another session's pod",
  "the metadata address",
] as const;

const credential = {
  kind: "Credential",
  metadata: { name: "canary" },
  spec: { upstream: { api: "OpenAI" }, secretRef: { name: "canary" } },
};

async function setScene(installation: Installation): Promise<Scene> {
  const [agent, other] = await until(
    "two sessions' pods are ready",
    async () => {
      const [first, second] = (await installation.sessionPods()).filter(isReady);
      return first && second && ([first, second] as const);
    },
    patienceMs,
  );
  const [router] = await installation.systemPods("router");
  assert.ok(router);
  const [address = ""] =
    /\d+\.\d+\.\d+\.\d+/.exec(
      await installation.ask(
        "get",
        "nodes",
        "--output=jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}",
      ),
    ) ?? [];
  const api = await installation.ask("get", "service", "kubernetes", "--output=jsonpath={.spec.clusterIP}");
  await openPod(installation, agent);
  const metadata = await serveMetadata(installation);
  const apiPort = Number(new URL(await serverOf(installation)).port);
  const inOpen: Place = { namespace: openNamespace, pod: "open", container: "open" };
  const inRouter: Place = { namespace: systemNamespace, pod: router.metadata.name, container: "router" };
  const inOther: Place = { namespace: agentsNamespace, pod: other.metadata.name, container: containers.agent };
  const ofRouter = (port: number): Target => ({ host: router.status.podIP ?? "", port, control: inRouter });
  return {
    agent: { namespace: agentsNamespace, pod: agent.metadata.name, container: containers.agent },
    targets: {
      "the API server by its Service": { host: api, port: 443, control: inOpen },
      "the API server by the node's address": { host: address, port: apiPort, control: inOpen },
      "the kubelet": { host: address, port: 10_250, control: inOpen },
      "the router's admin API": ofRouter(ports.admin),
      "the router's channel API": ofRouter(ports.channel),
      "the router's metrics": ofRouter(ports.metrics),
      "another session's pod": { host: other.status.podIP ?? "", port: ports.metrics, control: inOther },
      "the metadata address": { host: metadataAddress, port: 80, control: inOpen },
    },
    [Symbol.asyncDispose]: metadata,
  };
}

async function serverOf(installation: Installation): Promise<string> {
  return await installation.ask(
    "get",
    "endpoints",
    "kubernetes",
    "--output=jsonpath=https://{.subsets[0].addresses[0].ip}:{.subsets[0].ports[0].port}",
  );
}

/** A pod of the agent's own image, labelled so that the router lets it in. */
async function openPod(installation: Installation, like: SeenPod): Promise<void> {
  const args = ["get", "pod", like.metadata.name, `--namespace=${agentsNamespace}`];
  const image = await installation.ask(
    ...args,
    `--output=jsonpath={.spec.containers[?(@.name=="${containers.agent}")].image}`,
  );
  await installation.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: openNamespace } }], "default");
  const container = { name: "open", image, imagePullPolicy: "IfNotPresent", command: ["sleep", "3600"] };
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "open" }, spec: { containers: [container] } };
  await installation.apply([pod], openNamespace);
  await until(
    "the open pod runs",
    async () => (await installation.pods(openNamespace, ""))[0]?.status.phase === "Running",
    patienceMs,
  );
}

/** What clouds have there is not to be had here: a program of the node takes the address. @returns ends it */
async function serveMetadata({ stage }: Installation): Promise<() => Promise<void>> {
  const serve = `require("node:child_process").spawnSync("ip", ["address", "add", "${metadataAddress}/32", "dev", "lo"]);
require("node:http").createServer((_, answer) => answer.end("metadata")).listen(80, "${metadataAddress}", () => console.log("up"));`;
  const [program, args, env] = stage.words("exec", "--", process.execPath, "--eval", serve);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], env });
  await once(child.stdout, "data");
  return async () => {
    child.kill();
    await once(child, "exit");
  };
}
