import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type AdminClient, adminApi } from "@copepod/core/admin-api";
import { type ChannelClient, channelApi } from "@copepod/core/channel-api";
import { audiences, channelAccountPrefix, groupObjectName, podNameOf } from "@copepod/core/cluster";
import { createClient } from "@copepod/core/endpoint";
import { environment } from "@copepod/core/environment";
import { mailboxApi } from "@copepod/core/mailbox-api";
import { apiVersion } from "@copepod/crds/definition";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { sessionResource } from "@copepod/router/sessions/cluster/session-seen";
import { z } from "zod";
import type { ControlPlane } from "../../cluster/control-plane/control-plane.ts";
import { freePorts } from "../../cluster/machine/ports.ts";
import { crdsFolder, readCrds, startWithKinds } from "../../crds/judge.ts";
import { Conversations } from "../../support/conversations.ts";
import { until } from "../../support/until.ts";

export const namespace = "agents";
export const group = "helper";
const system = "copepod";
const admin = { namespace: system, name: "copepod-admin" };
export const user = "copepod-router-of-a-test";
const endWithinMs = 30_000;

/** All rights that the router has in a namespace that it follows. */
export const rules = [
  { resources: ["agentgroups", "channels", "wirings", "users", "credentials"], verbs: ["list", "watch"] },
  { resources: ["sessions"], verbs: ["get", "list", "watch", "create", "patch"] },
  { resources: ["sessions/status"], verbs: ["patch"] },
].map((rule) => ({ apiGroups: ["copepod.dev"], ...rule }));
/** And beyond it. */
const clusterRules = [{ apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] }];

const resources = (session: object) => [
  { kind: "AgentGroup", plural: "agentgroups", metadata: { name: group }, spec: { session } },
  {
    kind: "Channel",
    plural: "channels",
    metadata: { name: "terminal" },
    spec: { type: "terminal", defaults: { unknownSenders: "Public" }, senderRatePerMinute: 10_000 },
  },
  {
    kind: "Wiring",
    plural: "wirings",
    metadata: { name: "terminal" },
    spec: { channel: "terminal", conversation: { kind: "Direct" }, group },
  },
];

const sessionSchema = z.object({
  metadata: z.object({ name: z.string(), uid: z.string() }),
  spec: z.object({
    group: z.string(),
    key: z.looseObject({ kind: z.string() }),
    wake: z.object({ wanted: z.boolean(), epoch: z.int() }),
  }),
  status: z.looseObject({ pending: z.int().optional(), reason: z.string().optional() }).default({}),
});
export type SessionRead = z.output<typeof sessionSchema>;

const auditSchema = z.object({
  verb: z.string(),
  userAgent: z.string().optional(),
  objectRef: z.object({ name: z.string(), subresource: z.string() }).partial().optional(),
});

/** The real router as a process, on a real API server where nothing else runs: the test plays the operator and the pods. */
export class RouterWorld implements AsyncDisposable {
  readonly plane: ControlPlane;
  readonly kube: KubeClient;
  readonly home: string;
  readonly chat: Conversations;
  /** Of the running or the last process. */
  said = "";
  readonly #env: Readonly<Record<string, string>>;
  readonly #urls: Readonly<Record<"mailbox" | "channel" | "admin" | "metrics", string>>;
  readonly #adminToken: { token: string };
  #process: ChildProcess | undefined;

  private constructor(plane: ControlPlane, home: string, ports: readonly number[]) {
    this.plane = plane;
    this.home = home;
    const identity = kubeconfig({ files: [plane.kubeconfig] });
    this.kube = createKubeClient({ identity, userAgent: "test/1", clock: systemClock, random: Math.random });
    const [mailbox, channel, adminPort, metrics] = ports;
    this.#env = {
      [environment.home]: home,
      [environment.namespaces]: namespace,
      [environment.admins]: `system:serviceaccount:${admin.namespace}:${admin.name}`,
      [environment.mailboxPort]: String(mailbox),
      [environment.channelPort]: String(channel),
      [environment.adminPort]: String(adminPort),
      [environment.metricsPort]: String(metrics),
      KUBECONFIG: join(home, "kubeconfig"),
    };
    const url = (port: number | undefined) => `http://127.0.0.1:${port}`;
    this.#urls = { mailbox: url(mailbox), channel: url(channel), admin: url(adminPort), metrics: url(metrics) };
    this.#adminToken = { token: "" };
    this.chat = new Conversations({ admin: () => this.admin, namespace, prefix: "" });
  }

  /** @param session settings of the agent group's sessions */
  static async start(session: object): Promise<RouterWorld> {
    const plane = await startWithKinds(readCrds(join(crdsFolder, "generated")));
    const world = new RouterWorld(plane, await mkdtemp(join(tmpdir(), "router-")), await freePorts(4));
    await world.#prepare(session);
    await world.up();
    return world;
  }

  get admin(): AdminClient {
    return createClient(adminApi, { fetch, baseUrl: this.#urls.admin, token: () => this.#adminToken.token });
  }

  /** A person with a new service account of the namespace. */
  async person(name: string, audience: string = audiences.admin): Promise<AdminClient> {
    await this.post(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
    const token = await this.#tokenOf({ namespace, name }, audience);
    return createClient(adminApi, { fetch, baseUrl: this.#urls.admin, token: () => token });
  }

  /** Ends when the router is ready. */
  async up(): Promise<void> {
    const child = this.spawn();
    this.#process = child;
    await until("the router is ready", async () => {
      if (child.exitCode !== null) throw new Error(`the router ended with ${child.exitCode}: ${this.said}`);
      const answer = await this.health("readyz").catch(() => undefined);
      return answer?.ok && this.said.includes("router is ready");
    });
  }

  spawn(): ChildProcess {
    this.said = "";
    const main = fileURLToPath(import.meta.resolve("@copepod/router/main"));
    const child = spawn(process.execPath, [main], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, ...this.#env },
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.said += text;
      });
    }
    return child;
  }

  /** @returns the exit code; null after a kill */
  async down(signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null) return child?.exitCode ?? null;
    const ended = once(child, "exit", { signal: AbortSignal.timeout(endWithinMs) });
    child.kill(signal);
    const [code] = await ended;
    return code;
  }

  async health(path: "livez" | "readyz"): Promise<Response> {
    return await fetch(`${this.#urls.metrics}/${path}`);
  }

  async metrics(): Promise<string> {
    return await (await fetch(`${this.#urls.metrics}/metrics`)).text();
  }

  async session(key: string): Promise<SessionRead | undefined> {
    const name = key.slice(key.indexOf("/") + 1);
    const { status, body } = await this.plane.call("GET", sessionPath(name));
    return status === 404 ? undefined : sessionSchema.parse(body);
  }

  /** Waits until the Session wishes this. */
  async wished(key: string, wanted: boolean, epoch: number): Promise<SessionRead> {
    return await until(`${key} is to be ${wanted ? "awake" : "asleep"} with epoch ${epoch}`, async () => {
      const session = await this.session(key);
      return session?.spec.wake.wanted === wanted && session.spec.wake.epoch === epoch && session;
    });
  }

  /** What the operator says of a session. */
  async say(key: string, status: object): Promise<void> {
    const name = key.slice(key.indexOf("/") + 1);
    await this.kube.mergePatch(sessionResource, { namespace, name, subresource: "status" }, { status });
  }

  /** A pod as the operator makes it, with nothing running in it. */
  async makePod(key: string, epoch: number, account = groupObjectName(group)): Promise<Pod> {
    const name = podNameOf(key.slice(key.indexOf("/") + 1), epoch);
    const spec = { serviceAccountName: account, containers: [{ name: "agent", image: "none" }] };
    const { uid = "" } = (await this.kube.create(pods, { metadata: { namespace, name }, spec })).metadata;
    const boundObjectRef = { kind: "Pod", apiVersion: "v1", name, uid };
    const token = await this.#tokenOf({ namespace, name: account }, audiences.mailbox, { boundObjectRef });
    const mailbox = createClient(mailboxApi, { fetch, baseUrl: this.#urls.mailbox, token: () => token });
    return { name, uid, instance: randomUUID(), mailbox };
  }

  /** The adapter host of a channel, in a pod of its own or (which is nobody's right) nowhere. */
  async makeHost(channel: string, place: "pod" | "nowhere"): Promise<ChannelClient> {
    const account = { namespace, name: `${channelAccountPrefix}${channel}` };
    await this.#account(account);
    const spec = { serviceAccountName: account.name, containers: [{ name: "host", image: "none" }] };
    const { name = "", uid } = (
      await this.kube.create(pods, { metadata: { namespace, name: `host-${channel}` }, spec })
    ).metadata;
    const bound = { boundObjectRef: { kind: "Pod", apiVersion: "v1", name, uid } };
    const token = await this.#tokenOf(account, audiences.channel, place === "pod" ? bound : {});
    return createClient(channelApi, { fetch, baseUrl: this.#urls.channel, token: () => token });
  }

  async removePod({ name, uid }: Pod): Promise<void> {
    await this.kube.delete(pods, { namespace, name, uid }, { gracePeriodSeconds: 0 });
  }

  /** Makes the pod of the session's wish, says so, and lets its runner say hello. */
  async wake(key: string, epoch: number): Promise<Pod> {
    await this.wished(key, true, epoch);
    const pod = await this.makePod(key, epoch);
    await this.say(key, awake(epoch, pod));
    await until("hello", async () => await helloOf(pod));
    return pod;
  }

  /** Writes of the router to a Session so far, refused ones included, as the API server has written them down. */
  async writesOf(key: string): Promise<string[]> {
    const mark = `mark-${randomUUID()}`;
    await this.kube.create(configMaps, { metadata: { namespace, name: mark } });
    // A line comes a little after its answer; once that of a later write is there, so are those before it.
    const entries = await until("the mark is in the audit log", async () => {
      const lines = (await readFile(this.plane.auditLog, "utf8")).split("\n").slice(0, -1);
      const found = lines.map((line) => auditSchema.parse(JSON.parse(line)));
      return found.some(({ objectRef }) => objectRef?.name === mark) && found;
    });
    const name = key.slice(key.indexOf("/") + 1);
    return entries
      .filter(({ userAgent, objectRef }) => userAgent?.startsWith("copepod-router/") && objectRef?.name === name)
      .map(({ verb, objectRef }) => [verb, objectRef?.subresource].filter(Boolean).join(" "));
  }

  async post(path: string, object: object): Promise<unknown> {
    const { status, body } = await this.plane.call("POST", path, object);
    assert.equal(status, 201, JSON.stringify(body));
    return body;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down("SIGTERM");
    await this.kube.close();
    await this.plane[Symbol.asyncDispose]();
    await rm(this.home, { recursive: true, force: true });
  }

  async #prepare(session: object): Promise<void> {
    for (const name of [system, namespace]) await this.post("/api/v1/namespaces", { metadata: { name } });
    await this.#account(admin);
    for (const name of [group, "another"]) await this.#account({ namespace, name: groupObjectName(name) });
    for (const { plural, ...resource } of resources(session)) {
      await this.post(`/apis/${apiVersion}/namespaces/${namespace}/${plural}`, { apiVersion, ...resource });
    }
    const apiGroup = "rbac.authorization.k8s.io";
    const subjects = [{ kind: "User", name: user, apiGroup }];
    const metadata = { name: "router" };
    const [own, whole] = [`/apis/${apiGroup}/v1/namespaces/${namespace}`, `/apis/${apiGroup}/v1`];
    await this.post(`${own}/roles`, { metadata, rules });
    await this.post(`${own}/rolebindings`, {
      metadata,
      subjects,
      roleRef: { kind: "Role", name: "router", apiGroup },
    });
    await this.post(`${whole}/clusterroles`, { metadata, rules: clusterRules });
    const roleRef = { kind: "ClusterRole", name: "router", apiGroup };
    await this.post(`${whole}/clusterrolebindings`, { metadata, subjects, roleRef });
    const pair = await this.plane.pki.issue({ commonName: user });
    const file = join(this.home, "kubeconfig");
    await this.plane.pki.writeKubeconfig(file, { cluster: "test", server: this.plane.server, user: pair });
    this.#adminToken.token = await this.#tokenOf(admin, audiences.admin);
  }

  async #account({ namespace: place, name }: Account): Promise<void> {
    await this.post(`/api/v1/namespaces/${place}/serviceaccounts`, { metadata: { name } });
  }

  async #tokenOf({ namespace: place, name }: Account, audience: string, more: object = {}): Promise<string> {
    const path = `/api/v1/namespaces/${place}/serviceaccounts/${name}/token`;
    const spec = { audiences: [audience], expirationSeconds: 600, ...more };
    return z.object({ status: z.object({ token: z.string() }) }).parse(await this.post(path, { spec })).status.token;
  }
}

interface Account {
  readonly namespace: string;
  readonly name: string;
}

export interface Pod {
  readonly name: string;
  readonly uid: string;
  /** Of its runner. */
  readonly instance: string;
  readonly mailbox: ReturnType<typeof createClient<typeof mailboxApi>>;
}

/** What the operator says once the pod of the epoch runs. */
export const awake = (epoch: number, { name, uid }: Pick<Pod, "name" | "uid">) => ({
  phase: "Awake",
  epoch,
  podName: name,
  podUid: uid,
});

/** @returns whether the router knows the pod already */
export async function helloOf({ mailbox, instance }: Pod): Promise<boolean> {
  return await mailbox.hello({ instance }).then(
    () => true,
    (error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "podUnknown") return false;
      throw error;
    },
  );
}

const pods = { group: "", version: "v1", kind: "Pod", plural: "pods", namespaced: true };
const configMaps = { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true };
export const sessionPath = (name: string) => `/apis/${apiVersion}/namespaces/${namespace}/sessions/${name}`;
