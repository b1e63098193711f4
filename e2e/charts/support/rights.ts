import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type AdminClient, adminApi } from "@copepod/core/admin-api";
import { audiences } from "@copepod/core/cluster";
import { createClient } from "@copepod/core/endpoint";
import { environment } from "@copepod/core/environment";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import type { Resource } from "@copepod/kube/object";
import { configMaps, serviceAccounts } from "@copepod/operator/resources";
import { parse } from "yaml";
import { z } from "zod";
import type { ControlPlane } from "../../cluster/control-plane/control-plane.ts";
import { freePorts } from "../../cluster/machine/ports.ts";
import { crdsFolder, readCrds, startWithKinds } from "../../crds/judge.ts";
import { type ChartObject, chartsFolder, readObjects, renderText } from "./chart.ts";
import { resources } from "./installed.ts";

export type Program = "router" | "operator";
const ruleSchema = z.object({
  apiGroups: z.array(z.string()),
  resources: z.array(z.string()),
  verbs: z.array(z.string()),
});
const setSchema = z.object({
  program: z.enum(["router", "operator"]).optional(),
  place: z.enum(["agents", "keys", "system", "cluster"]),
  rules: z.array(z.object({ name: z.string(), rule: ruleSchema })),
});

/** One verb for one resource, of one rule. */
export interface Right extends Pick<z.output<typeof setSchema>, "place"> {
  readonly program: Program;
  readonly rule: string;
  /** The rule's place in its Role. */
  readonly at: number;
  readonly resource: string;
  readonly verb: string;
}

/** All that the chart lets the programs do. */
export function readRights(): Right[] {
  const sets = z.array(setSchema).parse(parse(readFileSync(join(chartsFolder, "copepod/files/rbac.yaml"), "utf8")));
  return sets.flatMap(({ program, place, rules }) =>
    rules.flatMap(({ name, rule }, at) =>
      rule.resources.flatMap((resource) =>
        rule.verbs.flatMap((verb) => (program ? [{ program, place, rule: name, at, resource, verb }] : [])),
      ),
    ),
  );
}

const acted: readonly Resource[] = [
  ...[resources.roles, resources.roleBindings, resources.accounts],
  { ...resources.roles, kind: "ClusterRole", plural: "clusterroles", namespaced: false },
  { ...resources.roleBindings, kind: "ClusterRoleBinding", plural: "clusterrolebindings", namespaced: false },
];

/** Reads too, of the programs alone. */
const auditPolicy = JSON.stringify({
  ...{ apiVersion: "audit.k8s.io/v1", kind: "Policy", omitStages: ["RequestReceived", "ResponseStarted"] },
  rules: [{ level: "Metadata", userGroups: ["system:serviceaccounts"] }, { level: "None" }],
});
const auditSchema = z.object({
  verb: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z
    .object({ resource: z.string(), subresource: z.string().optional(), namespace: z.string().default("") })
    .optional(),
  responseStatus: z.object({ code: z.number() }).optional(),
});

/** An API server without nodes, where a reference to an owner asks for a right, as on OpenShift. */
export class RightsRig implements AsyncDisposable {
  readonly plane: ControlPlane;
  readonly admin: KubeClient;
  readonly folder: string;
  #refusals: Promise<ReadonlySet<string>> = Promise.resolve(new Set<string>());
  #readAt = Number.NEGATIVE_INFINITY;

  private constructor(plane: ControlPlane) {
    this.plane = plane;
    this.folder = plane.folder;
    const [identity, rate] = [kubeconfig({ files: [plane.kubeconfig] }), { perSecond: 100_000, burst: 100_000 }];
    this.admin = createKubeClient({ identity, userAgent: "people/1", clock: systemClock, random: Math.random, rate });
  }

  /** @param scratch a folder that goes with the test */
  static async start(scratch: string): Promise<RightsRig> {
    const policy = join(scratch, "audit-policy.json");
    await writeFile(policy, auditPolicy);
    const flags = ["--enable-admission-plugins=OwnerReferencesPermissionEnforcement", `--audit-policy-file=${policy}`];
    return new RightsRig(await startWithKinds(readCrds(join(crdsFolder, "generated")), flags));
  }

  /** The chart's rights in a namespace of their own, less what is missing in which of the agents' namespaces. */
  async install(release: string, missing: ReadonlyMap<string, readonly Right[]>): Promise<Installation> {
    const namespaces = [...missing.keys()];
    for (const name of [release, ...namespaces]) await this.admin.create(resources.namespaces, { metadata: { name } });
    const values = { "operator.client": { qps: 10_000, burst: 10_000 }, "sessions.wakesPerNode": 100 };
    const text = await renderText("copepod", { ...values, "agents.namespaces": namespaces }, release);
    const installation = new Installation(this, release, { objects: readObjects(text), missing: new Map(missing) });
    await installation.apply();
    return installation;
  }

  /** What the programs were refused until a moment ago, such as `system:serviceaccount:a:b list pods in agents`. */
  refusals(): Promise<ReadonlySet<string>> {
    const now = performance.now();
    if (now - this.#readAt < auditEveryMs) return this.#refusals;
    this.#readAt = now;
    this.#refusals = readRefusals(this.plane.auditLog);
    return this.#refusals;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.admin.close();
    await this.plane[Symbol.asyncDispose]();
  }
}

const auditEveryMs = 500;

async function readRefusals(file: string): Promise<ReadonlySet<string>> {
  const lines = (await readFile(file, "utf8"))
    .split("\n")
    .filter((line) => line.includes('"code":403') && line.endsWith("}"));
  const entries = lines.map((line) => auditSchema.parse(JSON.parse(line)));
  return new Set(
    entries.map(({ user, verb, objectRef }) => {
      const what = [objectRef?.resource, objectRef?.subresource].filter(Boolean).join("/");
      return `${user.username} ${verb} ${what} in ${objectRef?.namespace}`;
    }),
  );
}

interface Contents {
  readonly objects: readonly ChartObject[];
  readonly missing: Map<string, readonly Right[]>;
}

export class Installation implements AsyncDisposable {
  readonly rig: RightsRig;
  readonly release: string;
  readonly #contents: Contents;
  readonly #folder: string;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  #admin: AdminClient | undefined;

  constructor(rig: RightsRig, release: string, contents: Contents) {
    this.rig = rig;
    this.release = release;
    this.#contents = contents;
    this.#folder = join(rig.folder, `release-${release}`);
  }

  async apply(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await Promise.all(this.#contents.objects.map((one) => this.#apply(one)));
  }

  /** Gives back what was missing. */
  async grant(namespace: string, right: Right): Promise<void> {
    const { missing } = this.#contents;
    missing.set(
      namespace,
      (missing.get(namespace) ?? []).filter((one) => one !== right),
    );
    await Promise.all(
      this.#contents.objects.filter((one) => this.#isRoleOf(one, right, namespace)).map((one) => this.#apply(one)),
    );
  }

  /** Of the router. */
  get admin(): AdminClient {
    if (!this.#admin) throw new Error("the router was not started");
    return this.#admin;
  }

  userOf = (program: Program): string => `system:serviceaccount:${this.release}:copepod-${program}`;

  /** A kubeconfig with a token of the program's ServiceAccount. */
  async login(program: Program): Promise<string> {
    const file = join(this.#folder, `${program}.kubeconfig`);
    const user = { token: await this.#tokenOf(`copepod-${program}`) };
    await this.rig.plane.pki.writeKubeconfig(file, { cluster: "test", server: this.rig.plane.server, user });
    return file;
  }

  async start(program: Program): Promise<void> {
    const common = {
      PATH: process.env.PATH,
      KUBECONFIG: await this.login(program),
      [environment.namespaces]: [...this.#contents.missing.keys()].join(","),
      [environment.logLevel]: "warn",
    };
    const env = { ...common, ...(await (program === "router" ? this.#routerEnv() : this.#operatorEnv())) };
    const main = fileURLToPath(import.meta.resolve(`@copepod/${program}/main`));
    this.#running.push(keepRunning(() => spawn(process.execPath, [main], { env, stdio: "ignore" }), this.#stop.signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }

  async #operatorEnv() {
    const file = join(this.#folder, "operator.yaml");
    const isSettings = ({ kind, metadata }: ChartObject) =>
      kind === configMaps.kind && metadata.name === "copepod-operator";
    const settings = z
      .object({ data: z.object({ "operator.yaml": z.string() }) })
      .parse(this.#contents.objects.find(isSettings));
    await writeFile(file, settings.data["operator.yaml"]);
    return {
      [environment.operatorConfig]: file,
      [environment.podNamespace]: this.release,
      [environment.podName]: "operator-1",
      [environment.metricsPort]: "0",
    };
  }

  async #routerEnv() {
    const [mailbox, channel, admin, metrics] = await freePorts(4);
    const token = await this.#tokenOf("copepod-admin", [audiences.admin]);
    this.#admin = createClient(adminApi, { fetch, baseUrl: `http://127.0.0.1:${admin}`, token: () => token });
    return {
      [environment.home]: this.#folder,
      [environment.admins]: adminOf(this.release),
      [environment.mailboxPort]: String(mailbox),
      [environment.channelPort]: String(channel),
      [environment.adminPort]: String(admin),
      [environment.metricsPort]: String(metrics),
    };
  }

  async #tokenOf(name: string, audiences?: readonly string[]): Promise<string> {
    const kind = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest" };
    const request = {
      ...kind,
      metadata: { namespace: this.release, name },
      spec: { audiences, expirationSeconds: 3_600 },
    };
    const answer = await this.rig.admin.create(serviceAccounts, request, { subresource: "token" });
    return z.object({ token: z.string() }).parse(answer.status).token;
  }

  async #apply(one: ChartObject): Promise<void> {
    const resource = acted.find(({ kind }) => kind === one.kind);
    if (!resource) return;
    const missing = [...this.#contents.missing].flatMap(([namespace, rights]) =>
      rights.filter((right) => this.#isRoleOf(one, right, namespace)),
    );
    const less = missing.length > 0 && { rules: rulesWithout(z.array(ruleSchema).parse(one.rules), missing) };
    await this.rig.admin.apply(resource, { ...one, ...less }, { fieldManager: "helm", force: true });
  }

  /** @param namespace with agents */
  #isRoleOf({ kind, metadata }: ChartObject, { program, place }: Right, namespace: string): boolean {
    const where = { agents: namespace, keys: namespace, system: this.release, cluster: undefined }[place];
    return kind.endsWith("Role") && metadata.name.endsWith(`-${program}-${place}`) && metadata.namespace === where;
  }
}

/** The person who speaks to the router. */
export const adminOf = (release: string): string => `system:serviceaccount:${release}:copepod-admin`;

type Rule = z.output<typeof ruleSchema>;

const rulesWithout = (rules: readonly Rule[], missing: readonly Right[]): Rule[] =>
  rules.flatMap((rule, at) =>
    rule.resources
      .map((resource) => {
        const cut = missing.filter((one) => one.at === at && one.resource === resource).map(({ verb }) => verb);
        return { ...rule, resources: [resource], verbs: rule.verbs.filter((verb) => !cut.includes(verb)) };
      })
      .filter(({ verbs }) => verbs.length > 0),
  );

/** As a kubelet would. */
async function keepRunning(start: () => ChildProcess, stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const child = start();
    const kill = () => void child.kill("SIGKILL");
    stop.addEventListener("abort", kill, { once: true });
    if (!stop.aborted) await once(child, "exit");
    stop.removeEventListener("abort", kill);
    await pause(500, undefined, { signal: stop }).catch(() => undefined);
  }
}
