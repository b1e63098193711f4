import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { labels, podNameOf } from "@copepod/core/cluster";
import { apiVersion } from "@copepod/crds/definition";
import type { KubeClient } from "@copepod/kube/client/client";
import { eventResource } from "@copepod/kube/controller/events";
import { isNotFound } from "@copepod/kube/errors";
import type { KubeObject, Resource } from "@copepod/kube/object";
import { agentGroups, credentials, pods, sessions, volumeClaims } from "@copepod/operator/resources";
import { z } from "zod";
import type { ControlPlane } from "../../cluster/control-plane/control-plane.ts";
import { until } from "../../support/until.ts";
import { SimulatedKubelet } from "./kubelet.ts";
import { type OperatorOptions, RunningOperator } from "./operators.ts";
import { SkippingClock } from "./skipping-clock.ts";

const core = (kind: string, plural: string, namespaced: boolean): Resource => ({
  ...{ group: "", version: "v1", kind, plural, namespaced },
});
const namespaces = core("Namespace", "namespaces", false);
const quotas = core("ResourceQuota", "resourcequotas", true);

const userAgent = "operator-under-test";

const statusSchema = z.looseObject({
  phase: z.string().optional(),
  podName: z.string().optional(),
  podUid: z.string().optional(),
  epoch: z.number().optional(),
  drainRequested: z.object({ epoch: z.number(), reason: z.string() }).optional(),
  conditions: z.array(z.object({ type: z.string(), reason: z.string(), message: z.string() })).default([]),
});

const auditSchema = z.object({
  userAgent: z.string().default(""),
  verb: z.string(),
  objectRef: z.object({
    ...{ resource: z.string(), subresource: z.string().optional() },
    ...{ namespace: z.string().default(""), name: z.string().default("") },
  }),
  responseStatus: z.object({ code: z.number() }),
});

const eventSchema = z.object({ reason: z.string(), regarding: z.object({ name: z.string() }) });

interface Server {
  readonly plane: ControlPlane;
  readonly server: KubeClient;
}

/** A namespace where pods must be "restricted", with an agent group, a simulated kubelet, and operators. */
export class World implements AsyncDisposable {
  readonly namespace: string;
  readonly group = "helper";
  readonly kubelet: SimulatedKubelet;
  readonly #server: KubeClient;
  readonly #plane: ControlPlane;
  readonly #clock = new SkippingClock();
  readonly #operators = new Set<RunningOperator>();

  static async open(on: Server): Promise<World> {
    const namespace = await makeNamespace(on.server);
    const world = new World(on, namespace);
    const match = { hosts: ["api.example.org"], paths: ["/**"], methods: ["GET"] };
    const spec = { match, inject: { header: "x-key", format: "{secret}" }, secretRef: { name: "outside" } };
    await on.server.create(credentials, { ...world.#about("Credential", "outside"), spec });
    await on.server.create(agentGroups, {
      ...world.#about("AgentGroup", world.group),
      spec: { credentials: ["outside"] },
    });
    return world;
  }

  private constructor({ plane, server }: Server, namespace: string) {
    this.#plane = plane;
    this.#server = server;
    this.namespace = namespace;
    this.kubelet = new SimulatedKubelet({ server, plane, namespace });
  }

  async start(options: Partial<OperatorOptions> = {}): Promise<RunningOperator> {
    const about = { plane: this.#plane, namespace: this.namespace, name: userAgent, clock: this.#clock };
    // Of its own where none is asked for: one that was killed would be waited for.
    const lease = options.lease ?? (await this.otherNamespace());
    const operator = new RunningOperator({ ...about, lease, ...options });
    this.#operators.add(operator);
    return operator;
  }

  async kill(operator: RunningOperator): Promise<void> {
    this.#operators.delete(operator);
    await operator[Symbol.asyncDispose]();
  }

  async otherNamespace(): Promise<string> {
    return await makeNamespace(this.#server);
  }

  /** As if this time had passed for the operators. */
  skip(ms: number): void {
    this.#clock.skip(ms);
  }

  /** New ones, that sleep. */
  async sessions<const N extends number>(count: N): Promise<Names<N>>;
  async sessions(count: number): Promise<readonly string[]> {
    const names = Array.from({ length: count }, () => `helper-${randomUUID().slice(0, 8)}`);
    const spec = { group: this.group, key: { kind: "Group" } };
    // As the router's first write: it is made because it has to wake, so nobody says first that it sleeps.
    for (const name of names) await this.#server.create(sessions, { ...this.#about("Session", name), spec });
    return names;
  }

  async wake(name: string, epoch: number): Promise<void> {
    await this.patchSession(name, { wake: { wanted: true, epoch } });
  }

  async sleep(name: string): Promise<void> {
    await this.patchSession(name, { wake: { wanted: false } });
  }

  async patchSession(name: string, spec: object, annotations: object = {}): Promise<void> {
    await this.#server.mergePatch(sessions, this.#place(name), { metadata: { annotations }, spec });
  }

  async patchStatus(name: string, status: object): Promise<void> {
    await this.#server.mergePatch(sessions, { ...this.#place(name), subresource: "status" }, { status });
  }

  async patchGroup(spec: object): Promise<void> {
    await this.#server.mergePatch(agentGroups, this.#place(this.group), { spec });
  }

  /** What else the rules say, the pods of the group stay as they are. */
  async rotate(revision: number): Promise<void> {
    await this.#server.mergePatch(credentials, this.#place("outside"), { spec: { revision } });
  }

  async status(name: string) {
    const { status } = await this.#server.get(sessions, this.#place(name));
    const { conditions, ...rest } = statusSchema.parse(status ?? {});
    return { ...rest, raw: rest, ready: conditions.find(({ type }) => type === "Ready") };
  }

  async untilPhase(name: string, phase: string) {
    return await until(`${name} is ${phase}`, async () => {
      const status = await this.status(name);
      return status.phase === phase && status;
    });
  }

  async untilAwake(name: string, epoch: number) {
    return await until(`${name} is awake by epoch ${epoch}`, async () => {
      const status = await this.status(name);
      return status.phase === "Awake" && status.epoch === epoch && status;
    });
  }

  async untilReason(name: string, reason: string) {
    return await until(`${name} says ${reason}`, async () => {
      const status = await this.status(name);
      return status.ready?.reason === reason && status;
    });
  }

  async pod(session: string, epoch: number): Promise<KubeObject | undefined> {
    return await this.#server.get(pods, this.#place(podNameOf(session, epoch))).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  }

  /** Somebody else's. */
  async foreignPod(name: string): Promise<KubeObject> {
    const securityContext = {
      ...{ runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      seccompProfile: { type: "RuntimeDefault" },
    };
    const spec = { containers: [{ name: "main", image: "image", securityContext }] };
    return await this.#server.create(pods, { metadata: this.#place(name), spec });
  }

  /** One more pod of the same Session. */
  async copyPod(session: string, { from, to }: { readonly from: number; readonly to: number }): Promise<KubeObject> {
    const found = await this.pod(session, from);
    if (!found) throw new Error(`${session} has no pod of epoch ${from}`);
    const { labels: has = {}, annotations = {}, ownerReferences = [] } = found.metadata;
    const metadata = { ...this.#place(podNameOf(session, to)), labels: has, annotations, ownerReferences };
    return await this.#server.create(pods, { metadata, spec: found.spec });
  }

  /** Says what is used, as a controller of Kubernetes would. */
  async quota(hard: Readonly<Record<string, string>>): Promise<void> {
    const place = this.#place("few");
    const status = { hard, used: Object.fromEntries(Object.keys(hard).map((name) => [name, "0"])) };
    await this.#server.apply(quotas, { ...quotaKind, metadata: place, spec: { hard } }, { fieldManager: "people" });
    await this.#server.mergePatch(quotas, { ...place, subresource: "status" }, { status });
  }

  /** Removes a claim for good, although a pod may use it. */
  async loseVolume(name: string): Promise<void> {
    const place = this.#place(name);
    await until("the claim is there", async () =>
      this.#server.get(volumeClaims, place).then(
        () => true,
        () => false,
      ),
    );
    await this.#server.delete(volumeClaims, place);
    await this.#server.mergePatch(volumeClaims, place, { metadata: { finalizers: null } }).catch(() => undefined);
  }

  /** Such as `helper-1 QuotaExceeded`. */
  async events(): Promise<readonly string[]> {
    const { items } = await this.#server.page(eventResource, { namespace: this.namespace });
    return items.map((item) => eventSchema.parse(item)).map(({ regarding, reason }) => `${regarding.name} ${reason}`);
  }

  /** What operators wrote of pods and sessions, refused writes included, such as `create pods a-1 201`. */
  async writes(): Promise<readonly string[]> {
    // A line comes a little after its answer; once that of a later write is there, so are those before it.
    const mark = await makeNamespace(this.#server);
    const text = await until("the mark is in the audit log", async () => {
      const found = await readFile(this.#plane.auditLog, "utf8");
      return found.includes(mark) && found;
    });
    const lines = text.split("\n").filter((line) => line.includes(this.namespace));
    return lines.map((line) => auditSchema.parse(JSON.parse(line))).flatMap((entry) => this.#describe(entry));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const operator of this.#operators) await operator[Symbol.asyncDispose]();
    await this.kubelet[Symbol.asyncDispose]();
  }

  #describe({ userAgent: agent, verb, objectRef, responseStatus }: z.output<typeof auditSchema>): string[] {
    const { resource, subresource, namespace, name } = objectRef;
    if (agent !== `${userAgent}/1` || namespace !== this.namespace || !["pods", "sessions"].includes(resource))
      return [];
    return [`${verb} ${resource}${subresource ? `/${subresource}` : ""} ${name} ${responseStatus.code}`];
  }

  #place(name: string) {
    return { namespace: this.namespace, name };
  }

  #about(kind: string, name: string) {
    return { apiVersion, kind, metadata: this.#place(name) };
  }
}

type Names<N extends number, L extends readonly string[] = readonly []> = number extends N
  ? readonly string[]
  : L["length"] extends N
    ? L
    : Names<N, readonly [...L, string]>;

const quotaKind = { apiVersion: "v1", kind: "ResourceQuota" };

async function makeNamespace(server: KubeClient): Promise<string> {
  const name = `agents-${randomUUID().slice(0, 8)}`;
  const enforce = { "pod-security.kubernetes.io/enforce": "restricted" };
  await server.create(namespaces, { metadata: { name, labels: { ...enforce, [labels.managedBy]: "test" } } });
  return name;
}
