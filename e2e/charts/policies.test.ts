import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { apiGroup, apiVersion } from "@copepod/crds/definition";
import type { KubeClient } from "@copepod/kube/client/client";
import type { KubeObject } from "@copepod/kube/object";
import { z } from "zod";
import { controlPlaneGate } from "../support/control-plane.ts";
import { until } from "../support/until.ts";
import { chartGate } from "./support/chart.ts";
import { Installed, object, refusalOf, refused, resources } from "./support/installed.ts";

const skip = (await controlPlaneGate()) || (await chartGate(["helm"]));

const { agentGroups, credentials, sessions, users, pods, configMaps, accounts, accessReviews } = resources;
const namespace = "agents";
const routerName = "system:serviceaccount:copepod:copepod-router";
const operatorName = "system:serviceaccount:copepod:copepod-operator";

/** All that a person may have in a namespace, but for its Secrets and for the use of its Credentials. */
const much = [
  { apiGroups: [apiGroup], resources: ["*"], verbs: ["get", "list", "create", "update", "patch", "delete"] },
  {
    apiGroups: [""],
    resources: ["configmaps", "pods", "pods/ephemeralcontainers", "serviceaccounts", "serviceaccounts/token"],
    verbs: ["create", "patch"],
  },
];
const trusted = [
  { apiGroups: [""], resources: ["secrets"], resourceNames: ["model-key"], verbs: ["get"] },
  { apiGroups: [apiGroup], resources: ["credentials"], verbs: ["use"] },
];

let made = 0;
const own = (kind: string, spec: object, name = `object-${++made}`, inNamespace = namespace): KubeObject =>
  object({ name, namespace: inNamespace }, { apiVersion, kind, spec });
const credential = (name: string, inNamespace?: string): KubeObject =>
  own("Credential", { upstream: { api: "Anthropic" }, secretRef: { name: "model-key" } }, name, inNamespace);
const session = (): KubeObject => own("Session", { group: "demo", key: { kind: "Group" }, wake: { wanted: true } });
const token = (name: string, audience: string): KubeObject =>
  object(
    { name, namespace },
    { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { audiences: [audience] } },
  );

const secure = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};
const container = { name: "one", image: "one", securityContext: secure };
const pod = (labels: Readonly<Record<string, string>>, spec: object = {}): KubeObject =>
  object(
    { name: `pod-${++made}`, namespace, labels },
    { spec: { containers: [container], serviceAccountName: "ordinary", ...spec } },
  );
const ofSession = {
  "app.kubernetes.io/managed-by": "copepod-operator",
  "copepod.dev/component": "session",
  "copepod.dev/session": "demo-0123456789ab",
};
const owner = { apiVersion, kind: "Session", name: "demo-0123456789ab", uid: "a-b-c", controller: true };
const ofGroup = { serviceAccountName: "copepod-group-demo", automountServiceAccountToken: false };
const sessionPod = (spec: object = {}): KubeObject => pod(ofSession, { ...ofGroup, ...spec });

describe("the chart's policies on a real API server", { skip }, () => {
  let installed: Installed;
  let admin: KubeClient;
  /** May nearly everything. */
  let mallory: KubeClient;
  /** May also read the Secret `model-key` and use all Credentials. */
  let ada: KubeClient;
  let router: KubeClient;
  let operator: KubeClient;

  before(async () => {
    // Without the label of Pod Security, so that it is the policies that refuse.
    installed = await Installed.start([namespace, "elsewhere"], { "agents.createNamespaces": false });
    admin = installed.admin;
    mallory = installed.as("mallory");
    ada = installed.as("ada");
    router = installed.as(routerName);
    operator = installed.as(operatorName);
    for (const each of [namespace, "elsewhere"])
      await installed.grant("much", { namespace: each, rules: much, to: ["mallory", "ada"] });
    const decisions = { apiGroups: [apiGroup], resources: ["agentgroups", "users"], verbs: ["create", "patch"] };
    await installed.grant("decisions", { namespace, rules: [decisions], to: [routerName] });
    await installed.grant("trusted", { namespace, rules: trusted, to: ["ada"] });
    for (const name of ["copepod-group-demo", "ordinary"]) await admin.create(accounts, object({ name, namespace }));
    await until("the kinds are served and the policies are in force", async () => {
      const refusal = await refusalOf(mallory.create(credentials, credential("probe")));
      if (refusal === undefined) await admin.delete(credentials, { name: "probe", namespace });
      return refusal?.includes("may not read the Secret");
    });
  });

  after(async () => await installed[Symbol.asyncDispose]());

  it("let nobody name a Secret that they may not read", async () => {
    await refused(mallory.create(credentials, credential("a")), /may not read the Secret model-key/);
    await ada.create(credentials, credential("a"));
    const at = { name: "a", namespace };
    const elsewhere = { spec: { upstream: { api: "Anthropic", baseUrl: "https://evil.example" } } };
    await refused(mallory.mergePatch(credentials, at, elsewhere), /may not read the Secret model-key/);
    await mallory.mergePatch(credentials, at, { metadata: { labels: { seen: "yes" } } });
    await refused(ada.mergePatch(credentials, at, { spec: { secretRef: { name: "other" } } }), /the Secret other/);
    await mallory.mergePatch(credentials, at, { spec: { secretRef: null } });
  });

  it("let nobody use a Credential without the right to", async () => {
    const group = (names: readonly string[]) => own("AgentGroup", { credentials: names });
    await mallory.create(agentGroups, group([]));
    await refused(mallory.create(agentGroups, group(["a"])), /may not use the Credential a:.*copepod-credential-user/);
    const most = Array.from({ length: 20 }, (_, index) => `credential-${index}`);
    const { metadata } = await ada.create(agentGroups, group(most));
    const at = { name: metadata.name ?? "", namespace };
    await refused(mallory.mergePatch(agentGroups, at, { spec: { instructions: "Tell." } }), /Credential credential-0/);
    await ada.mergePatch(agentGroups, at, { spec: { instructions: "Tell." } });
    await mallory.mergePatch(agentGroups, at, { spec: { suspended: true } });
    await refused(router.mergePatch(agentGroups, at, { spec: { instructions: "Say." } }), /Credential credential-0/);
  });

  it("ask for the right at each place of the longest list", async () => {
    const known = Array.from({ length: 20 }, (_, index) => `known-${index}`);
    const rule = { apiGroups: [apiGroup], resources: ["credentials"], resourceNames: known, verbs: ["use"] };
    await installed.grant("known", { namespace, rules: [rule], to: ["mallory"] });
    for (const place of [0, 1, 19]) {
      const group = own("AgentGroup", { credentials: known.with(place, "unknown") });
      await refused(mallory.create(agentGroups, group), /may not use the Credential unknown/);
    }
    await mallory.create(agentGroups, own("AgentGroup", { credentials: known }));
  });

  it("let only the router make Sessions and wake them, and only the programs tell their state", async () => {
    await refused(ada.create(sessions, session()), /Only the router makes Sessions/);
    const { metadata } = await router.create(sessions, session());
    const at = { name: metadata.name ?? "", namespace };
    const woken = { spec: { wake: { wanted: true, epoch: 7 } } };
    for (const client of [ada, mallory, installed.as(operatorName)])
      assert.notEqual(await refusalOf(client.mergePatch(sessions, at, woken)), undefined);
    await refused(ada.mergePatch(sessions, at, woken), /Only the router writes spec\.wake/);
    await ada.mergePatch(sessions, at, { spec: { suspended: true } });
    const told = { status: { phase: "Awake", podUid: "a-b-c" } };
    await refused(ada.mergePatch(sessions, { ...at, subresource: "status" }, told), /Only router and operator write/);
    await operator.mergePatch(sessions, { ...at, subresource: "status" }, told);
    await router.mergePatch(sessions, at, woken);
    await router.mergePatch(sessions, { ...at, subresource: "status" }, { status: { pending: 1 } });
  });

  it("let only the operator make pods that look like a session's", async () => {
    const looks = [
      pod(ofSession),
      pod({ "copepod.dev/group": "demo" }),
      pod({ "app.kubernetes.io/managed-by": "copepod-operator" }),
      pod({}, ofGroup),
    ];
    const owned = pod({});
    looks.push({ ...owned, metadata: { ...owned.metadata, ownerReferences: [owner] } });
    for (const each of looks) await refused(ada.create(pods, each), /only Copepod's operator makes/);
    const { metadata } = await ada.create(pods, pod({ "app.kubernetes.io/managed-by": "somebody" }));
    const at = { name: metadata.name ?? "", namespace };
    await refused(ada.mergePatch(pods, at, { metadata: { labels: ofSession } }), /only Copepod's operator makes/);
    await refused(
      ada.mergePatch(pods, at, { metadata: { ownerReferences: [owner] } }),
      /only Copepod's operator makes/,
    );
    await ada.mergePatch(pods, at, { metadata: { labels: { seen: "yes" } } });
  });

  it("let nobody else change a session's pod", async () => {
    const { spec, metadata: asMade } = sessionPod();
    const annotations = { "copepod.dev/rules": "0123" };
    const { metadata } = await operator.create(
      pods,
      object({ ...asMade, annotations, ownerReferences: [owner] }, { spec }),
    );
    const at = { name: metadata.name ?? "", namespace };
    const changes: readonly object[] = [
      { spec: { containers: [{ ...container, image: "evil" }] } },
      { metadata: { labels: { "copepod.dev/session": "other-0123456789ab" } } },
      { metadata: { labels: { "copepod.dev/more": "yes" } } },
      ...Object.keys(ofSession).map((name) => ({ metadata: { labels: { [name]: null } } })),
      { metadata: { labels: Object.fromEntries(Object.keys(ofSession).map((name) => [name, null])) } },
      { metadata: { annotations: { "copepod.dev/rules": null } } },
      { metadata: { annotations: { "copepod.dev/rules": "4567" } } },
      { metadata: { ownerReferences: null } },
      { metadata: { ownerReferences: [{ ...owner, uid: "d-e-f" }] } },
    ];
    const refusal = /Only Copepod's operator changes pods of sessions/;
    for (const change of changes) await refused(ada.mergePatch(pods, at, change), refusal);
    const debugging = { spec: { ephemeralContainers: [{ name: "look", image: "evil" }] } };
    await refused(ada.mergePatch(pods, { ...at, subresource: "ephemeralcontainers" }, debugging), refusal);
    await ada.mergePatch(pods, at, { metadata: { labels: { seen: "yes" }, annotations: { seen: "yes" } } });
    await operator.mergePatch(pods, at, { metadata: { labels: { "copepod.dev/session": "other-0123456789ab" } } });
  });

  it("let the operator make nothing but restricted pods of sessions", async () => {
    const withContainer = (securityContext: object) => sessionPod({ containers: [{ ...container, securityContext }] });
    const { seccompProfile: _, ...unconfined } = secure;
    const attempts: readonly [KubeObject, RegExp][] = [
      [pod(ofSession), /only pods with the ServiceAccount of an agent group/],
      [sessionPod({ automountServiceAccountToken: true }), /without its token/],
      [sessionPod({ hostNetwork: true }), /network and processes of their own/],
      [sessionPod({ hostPID: true }), /network and processes of their own/],
      [sessionPod({ shareProcessNamespace: true }), /network and processes of their own/],
      [sessionPod({ volumes: [{ name: "host", hostPath: { path: "/" } }] }), /volumes that belong to the namespace/],
      [withContainer({}), /Pod Security level "restricted"/],
      [withContainer({ ...secure, runAsNonRoot: false }), /Pod Security level "restricted"/],
      [withContainer({ ...secure, runAsUser: 0 }), /Pod Security level "restricted"/],
      [withContainer({ ...secure, allowPrivilegeEscalation: true }), /Pod Security level "restricted"/],
      [withContainer({ ...secure, capabilities: { drop: ["ALL"], add: ["NET_RAW"] } }), /level "restricted"/],
      [withContainer({ ...secure, capabilities: {} }), /Pod Security level "restricted"/],
      [withContainer(unconfined), /Pod Security level "restricted"/],
      [sessionPod({ initContainers: [{ name: "two", image: "two" }] }), /Pod Security level "restricted"/],
    ];
    for (const [attempt, refusal] of attempts) await refused(operator.create(pods, attempt), refusal);
    const byPod = { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } };
    const { runAsNonRoot: __, ...lessByContainer } = unconfined;
    const containers = [{ ...container, securityContext: lessByContainer }];
    await operator.create(pods, sessionPod({ containers, securityContext: byPod }));
  });

  const make = (client: KubeClient, name: string, audience = "copepod-router") =>
    client.create(accounts, token(name, audience), { subresource: "token" });

  it("give tokens of a session's or channel's identity to nodes alone", async () => {
    const refusal = /only for the pods of its sessions and channels/;
    await admin.create(accounts, object({ name: "copepod-channel-chat", namespace }));
    const node = installed.as("system:node:one", "system:nodes");
    for (const name of ["copepod-group-demo", "copepod-channel-chat"]) {
      for (const client of [ada, admin]) await refused(make(client, name, "anything"), refusal);
      // The node authorizer asks for a pod of the node: what matters is that the policy is not what refuses.
      assert.doesNotMatch((await refusalOf(make(node, name))) ?? "", refusal);
    }
  });

  it("let nobody take the name of a session's or channel's account", async () => {
    for (const name of ["copepod-group-other", "copepod-channel-terminal"])
      await refused(ada.create(accounts, object({ name, namespace })), /sessions and channels: take another name/);
    await ada.create(accounts, object({ name: "somebody", namespace }));
  });

  it("let speak to the router as somebody only who may speak as them, not who may make all tokens and pods", async () => {
    const volume = (audience: string) => ({
      name: "token",
      projected: { sources: [{ serviceAccountToken: { audience, path: "token" } }] },
    });
    const withToken = (audience: string) => pod({}, { volumes: [volume(audience)] });
    for (const audience of ["copepod-router", "copepod-channel", "copepod-admin"]) {
      await refused(make(mallory, "ordinary", audience), /may not speak as ordinary: ask for the verb "speak-as"/);
      await refused(mallory.create(pods, withToken(audience)), /"speak-as" on serviceaccounts\/token ordinary/);
    }
    await make(mallory, "ordinary", "vault");
    await mallory.create(pods, withToken("vault"));
    const own = { apiGroups: [""], resources: ["serviceaccounts/token"], resourceNames: ["ordinary"] };
    await installed.grant("speak-as-ordinary", {
      namespace,
      rules: [{ ...own, verbs: ["create", "speak-as"] }],
      to: ["mallory", "frances"],
    });
    for (const client of [mallory, installed.as("frances")]) await make(client, "ordinary", "copepod-admin");
    await mallory.create(pods, withToken("copepod-admin"));
    await refused(make(mallory, "somebody", "copepod-admin"), /may not speak as somebody/);
  });

  it("let only the operator write the rules of a group's proxies", async () => {
    const rules = (data: object) => object({ name: "copepod-group-demo", namespace }, { data });
    await refused(ada.create(configMaps, rules({ "rules.json": "{}" })), /Only Copepod's operator writes the rules/);
    await operator.create(configMaps, rules({ "rules.json": "{}" }));
    const at = { name: "copepod-group-demo", namespace };
    await refused(ada.mergePatch(configMaps, at, { data: { more: "" } }), /change its Credentials instead/);
    for (const change of [
      { immutable: true },
      { binaryData: { more: "" } },
      { metadata: { ownerReferences: [owner] } },
    ])
      await refused(ada.mergePatch(configMaps, at, change), /change its Credentials instead/);
    await ada.mergePatch(configMaps, at, { metadata: { labels: { seen: "yes" } } });
    await ada.create(configMaps, object({ name: "ordinary", namespace }, { data: {} }));
  });

  it("keep what is decided in chat from what only admins decide", async () => {
    const attempts: readonly [object, RegExp][] = [
      [{ agent: { image: "evil" } }, /changes agent\.image .* with kubectl/],
      [{ mounts: [{ name: "data", claimName: "data" }] }, /changes mounts /],
      [{ network: { allow: [{ cidr: "10.0.0.0/8" }] } }, /changes network\.allow /],
      [{ session: { podOverrides: { labels: { a: "b" } } } }, /changes session\.podOverrides /],
    ];
    const { metadata } = await router.create(agentGroups, own("AgentGroup", { instructions: "Help." }));
    const at = { name: metadata.name ?? "", namespace };
    for (const [spec, refusal] of attempts) {
      await refused(router.create(agentGroups, own("AgentGroup", spec)), refusal);
      await refused(router.mergePatch(agentGroups, at, { spec }), refusal);
      await ada.create(agentGroups, own("AgentGroup", spec));
    }
    await router.mergePatch(agentGroups, at, { spec: { instructions: "Help more." } });
    await ada.mergePatch(agentGroups, at, { spec: { agent: { image: "good" } } });
    await router.mergePatch(agentGroups, at, { spec: { instructions: "Help again." } });
    await installed.grant("credential-for-router", { namespace, rules: trusted, to: [routerName] });
    const withCredential = own("AgentGroup", { credentials: ["a"] });
    await refused(router.create(agentGroups, withCredential), /changes credentials /);
  });

  it("let nobody become Owner or Admin from chat", async () => {
    const user = (...roles: readonly object[]) => own("User", { identities: [`terminal:user-${++made}`], roles });
    await refused(router.create(users, user({ role: "Owner" })), /Nobody becomes Owner or Admin from chat/);
    await router.create(users, user({ role: "Member", group: "demo" }));
    const { metadata } = await ada.create(users, user({ role: "Admin" }));
    const at = { name: metadata.name ?? "", namespace };
    await router.mergePatch(users, at, { spec: { displayName: "Ada" } });
    await refused(router.mergePatch(users, at, { spec: { roles: [{ role: "Owner" }] } }), /Nobody becomes Owner/);
    const another = { spec: { identities: ["terminal:another"] } };
    await refused(
      router.mergePatch(users, at, another),
      /Nobody changes the identities of an Owner or Admin from chat/,
    );
    const { metadata: member } = await ada.create(users, user({ role: "Member", group: "demo" }));
    await router.mergePatch(users, { name: member.name ?? "", namespace }, another);
  });

  it("say nothing in other namespaces", async () => {
    await mallory.create(credentials, credential("a", "elsewhere"));
    await mallory.create(pods, {
      ...pod(ofSession),
      metadata: { name: "one", namespace: "elsewhere", labels: ofSession },
    });
  });

  it("come with programs that list no Secret and read none of their own namespace, and make pods only where they should", async () => {
    const asked = [routerName, operatorName].flatMap((program) =>
      [undefined, namespace, "copepod"].map((where) => [program, where] as const),
    );
    for (const [program, where] of asked)
      for (const verb of ["get", "list", "watch"]) {
        const mayLook = program === operatorName && where === namespace && verb === "get";
        assert.equal(await may(program, [verb, "", "secrets"], where), mayLook, `${program} ${verb} ${where}`);
      }
    for (const verb of ["create", "delete"]) {
      assert.equal(await may(operatorName, [verb, "", "pods"], namespace), true);
      assert.equal(await may(operatorName, [verb, "", "pods"], "elsewhere"), false);
      assert.equal(await may(routerName, [verb, "", "pods"], namespace), false);
    }
  });

  it("come with roles for people: to edit is neither to give roles nor to use Credentials", async () => {
    await bind("editor", "grace");
    await bind("user-admin", "margaret");
    await bind("credential-user", "joan");
    assert.equal(await may("grace", ["update", apiGroup, "agentgroups"], namespace), true);
    assert.equal(await may("grace", ["update", apiGroup, "users"], namespace), false);
    assert.equal(await may("grace", ["use", apiGroup, "credentials"], namespace), false);
    assert.equal(await may("margaret", ["update", apiGroup, "users"], namespace), true);
    assert.equal(await may("joan", ["use", apiGroup, "credentials"], namespace), true);
  });

  async function may(user: string, [verb, group, resource]: readonly string[], where?: string): Promise<boolean> {
    const resourceAttributes = { verb, group, resource, ...(where !== undefined && { namespace: where }) };
    const answer = await admin.create(accessReviews, object({}, { spec: { user, resourceAttributes } }));
    return z.looseObject({ status: z.looseObject({ allowed: z.boolean() }) }).parse(answer).status.allowed;
  }

  async function bind(role: string, name: string): Promise<void> {
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: `copepod-${role}` };
    const subjects = [{ apiGroup: roleRef.apiGroup, kind: "User", name }];
    await admin.create(resources.roleBindings, object({ name: role, namespace }, { roleRef, subjects }));
  }
});
