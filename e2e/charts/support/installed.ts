import assert from "node:assert/strict";
import { apiGroup, apiVersionName } from "@copepod/crds/definition";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { systemClock } from "@copepod/kube/clock";
import { ApiError } from "@copepod/kube/errors";
import type { KubeObject, ObjectMeta, Resource } from "@copepod/kube/object";
import type { ControlPlane } from "../../cluster/control-plane/control-plane.ts";
import type { KeyPair } from "../../cluster/pki/certificates.ts";
import { adminRequest } from "../../cluster/pki/pki.ts";
import { startControlPlane } from "../../support/control-plane.ts";
import { type ChartObject, render, type SetValues } from "./chart.ts";

const rbacGroup = "rbac.authorization.k8s.io";
const inGroup =
  (group: string, version: string, namespaced = true) =>
  (kind: string, plural = `${kind.toLowerCase()}s`): Resource => ({ group, version, kind, plural, namespaced });

const own = inGroup(apiGroup, apiVersionName);
const core = inGroup("", "v1");

export const resources = {
  agentGroups: own("AgentGroup"),
  channels: own("Channel"),
  credentials: own("Credential"),
  sessions: own("Session"),
  users: own("User"),
  pods: core("Pod"),
  configMaps: core("ConfigMap"),
  accounts: core("ServiceAccount"),
  namespaces: { ...core("Namespace"), namespaced: false },
  accessReviews: inGroup("authorization.k8s.io", "v1", false)("SubjectAccessReview"),
  roles: inGroup(rbacGroup, "v1")("Role"),
  roleBindings: inGroup(rbacGroup, "v1")("RoleBinding"),
} as const;

const admission = inGroup("admissionregistration.k8s.io", "v1", false);
/** What of the charts an API server without controllers can act on. */
const acted: readonly Resource[] = [
  inGroup("apiextensions.k8s.io", "v1", false)("CustomResourceDefinition"),
  admission("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
  admission("ValidatingAdmissionPolicyBinding"),
  inGroup(rbacGroup, "v1", false)("ClusterRole"),
  inGroup(rbacGroup, "v1", false)("ClusterRoleBinding"),
  ...[resources.roles, resources.roleBindings],
];

export const object = (metadata: ObjectMeta, more: object = {}): KubeObject => ({ metadata, ...more }) as KubeObject;

/** An API server with the charts' kinds, rights and policies. */
export class Installed implements AsyncDisposable {
  readonly admin: KubeClient;
  readonly #plane: ControlPlane;
  readonly #pair: KeyPair;
  readonly #clients: KubeClient[] = [];

  private constructor(plane: ControlPlane, pair: KeyPair) {
    this.#plane = plane;
    this.#pair = pair;
    this.admin = this.#connect({});
  }

  /** @param namespaces made before the chart is installed */
  static async start(namespaces: readonly string[], values: SetValues): Promise<Installed> {
    const plane = await startControlPlane();
    const installed = new Installed(plane, await plane.pki.issue(adminRequest));
    const { admin } = installed;
    for (const name of ["copepod", ...namespaces]) await admin.create(resources.namespaces, object({ name }));
    const objects = [...(await render("copepod-crds")), ...(await render("copepod", values))];
    await Promise.all(objects.map((each) => installed.#apply(each)));
    return installed;
  }

  /** A client that acts as somebody else. */
  as(user: string, group = "system:authenticated"): KubeClient {
    return this.#connect({ "impersonate-user": user, "impersonate-group": group });
  }

  /** Gives rights in a namespace. */
  async grant(name: string, { namespace, rules, to }: Grant): Promise<void> {
    await this.admin.create(resources.roles, object({ name, namespace }, { rules }));
    const subjects = to.map((user) => ({ apiGroup: rbacGroup, kind: "User", name: user }));
    const roleRef = { apiGroup: rbacGroup, kind: "Role", name };
    await this.admin.create(resources.roleBindings, object({ name, namespace }, { roleRef, subjects }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.#plane[Symbol.asyncDispose]();
  }

  async #apply(one: ChartObject): Promise<void> {
    const resource = acted.find(({ kind }) => kind === one.kind);
    if (resource) await this.admin.apply(resource, one, { fieldManager: "helm", force: true });
  }

  #connect(headers: Readonly<Record<string, string>>): KubeClient {
    const { certificate: cert, key } = this.#pair;
    const endpoint = { server: this.#plane.server, ca: this.#plane.pki.authority, cert, key };
    const client = createKubeClient({
      identity: async () => ({ endpoint, headers }),
      userAgent: "test/1",
      clock: systemClock,
      random: Math.random,
      rate: { perSecond: 100_000, burst: 100_000 },
    });
    this.#clients.push(client);
    return client;
  }
}

interface Grant {
  readonly namespace: string;
  readonly rules: readonly object[];
  /** User names. */
  readonly to: readonly string[];
}

/** What the API server says when it says no; undefined when it says yes. */
export async function refusalOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
}

export async function refused(call: Promise<unknown>, by: RegExp): Promise<void> {
  assert.match((await refusalOf(call)) ?? "It was not refused.", by);
}
