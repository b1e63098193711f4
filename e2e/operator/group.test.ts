import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { annotations, groupObjectName, labels, rulesKey, workspaceObjectName } from "@copepod/core/cluster";
import type { KubeObject, Resource } from "@copepod/kube/object";
import {
  agentGroups,
  configMaps,
  credentials,
  networkPolicies,
  serviceAccounts,
  sessions,
  volumeClaims,
  workspaces,
} from "@copepod/operator/resources";
import { parse } from "yaml";
import { parsePolicy } from "../cluster/network-policy/policy.ts";
import { crdsFolder } from "../crds/judge.ts";
import { controlPlaneGate } from "../support/control-plane.ts";
import { until } from "../support/until.ts";
import { conditionOf, dataOf, egressOf, messageOf, sizeOf } from "./support/read.ts";
import { longMs, Stage, secrets } from "./support/stage.ts";

describe("agent groups, workspaces and credentials on a real API server", { skip: await controlPlaneGate() }, () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.start();
  });
  after(async () => await stage?.[Symbol.asyncDispose]());

  it("an agent group gets an account without a token, a claim, its rules and a policy, each by one write", async () => {
    const space = stage.open();
    await space.group("a", { credentials: [] });
    await space.when(agentGroups, "a", "Ready", "True Ready");
    const account = await space.get(serviceAccounts, groupObjectName("a"));
    assert.equal(account?.automountServiceAccountToken, false);
    const rules = await space.get(configMaps, groupObjectName("a"));
    assert.deepEqual(JSON.parse(dataOf(rules ?? assert.fail("no rules"))[rulesKey] ?? ""), {
      ...{ group: "a", upstreams: [], rules: [] },
    });
    assert.equal(sizeOf((await space.get(volumeClaims, groupObjectName("a"))) ?? assert.fail("no claim")), "10Gi");
    const policy = (await space.get(networkPolicies, groupObjectName("a"))) ?? assert.fail("no policy");
    assert.equal(egressOf(policy).length, 4, "DNS, the router, the internet in both families");
    assert.equal(parsePolicy(policy).refusal, undefined, "the native cluster enforces it as it is written");
    const writes = await space.writes();
    assert.deepEqual(
      writes
        .filter((line) => !line.includes("/status"))
        .map((line) => line.split(" ").slice(0, 2).join(" "))
        .toSorted(),
      ["configmaps", "networkpolicies", "persistentvolumeclaims", "serviceaccounts"].map(
        (plural) => `create ${plural}`,
      ),
    );
    assert.deepEqual(
      writes.filter((line) => !/ 20[01]$/.test(line)),
      [],
      "none was refused",
    );
  });

  it("samples that are applied again cause no write, and neither do time and the next leader", async () => {
    const space = stage.open();
    const samples = ["agent-group", "workspace", "credential"].map(readSample);
    const apply = async () => {
      for (const [resource, { metadata, spec }] of samples) await space.put(resource, metadata.name ?? "", { spec });
    };
    await apply();
    await space.when(agentGroups, "helper", "Ready", "True Ready");
    await space.when(workspaces, "library", "Ready", "True Ready");
    await space.when(credentials, "anthropic", "Ready", "False SecretMissing");
    const first = await space.writes();
    await apply();
    await apply();
    await stage.restart();
    await space.group("next");
    await space.when(agentGroups, "next", "Ready", "True Ready");
    const later = (await space.writes()).slice(first.length);
    assert.deepEqual(
      later.filter((line) => !/[/-]next /.test(line)),
      [],
    );
  });

  it("what others change of its objects is mended, and a deleted one made anew", async () => {
    const space = stage.open();
    await space.group("a");
    await space.when(agentGroups, "a", "Ready", "True Ready");
    const place = { namespace: space.namespace, name: groupObjectName("a") };
    await stage.server.mergePatch(networkPolicies, place, { spec: { egress: [{}], ingress: [{}] } });
    await stage.server.mergePatch(configMaps, place, { data: { [rulesKey]: "{}", more: "x" } });
    await stage.server.delete(serviceAccounts, place);
    await until("all is as it was", async () => {
      const [policy, rules, account] = await Promise.all(
        [networkPolicies, configMaps, serviceAccounts].map(async (one) => await space.get(one, place.name)),
      );
      const isClosed = policy?.spec instanceof Object && !("ingress" in policy.spec) && egressOf(policy).length === 4;
      return account && isClosed && Object.keys(dataOf(rules ?? { metadata: {} })).join() === rulesKey;
    });
  });

  it("somebody else's objects with its names stay untouched, and are named; it goes on when they are gone", async () => {
    const space = stage.open();
    const taken = [
      [configMaps, { data: { own: "theirs" } }],
      [serviceAccounts, { automountServiceAccountToken: true }],
      [networkPolicies, { spec: { podSelector: { matchLabels: { app: "theirs" } }, policyTypes: ["Ingress"] } }],
      [volumeClaims, { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } }],
    ] as const;
    const name = groupObjectName("taken");
    for (const [resource, fields] of taken) await space.put(resource, name, fields);
    const before = await Promise.all(taken.map(async ([resource]) => await space.get(resource, name)));
    await space.group("taken");
    const group = await space.when(agentGroups, "taken", "Ready", "False Conflict");
    for (const kind of ["ConfigMap", "ServiceAccount", "NetworkPolicy"])
      assert.match(messageOf(group, "Ready"), new RegExp(kind));
    assert.equal(conditionOf(group, "VolumeReady"), "False Conflict");
    const writes = await space.writes();
    assert.deepEqual(
      writes.filter((line) => !line.includes("agentgroups/status")),
      [],
    );
    assert.deepEqual(await Promise.all(taken.map(async ([resource]) => await space.get(resource, name))), before);
    for (const [resource] of taken) await space.remove(resource, name);
    stage.keepers.clock.skip(longMs);
    await space.when(agentGroups, "taken", "Ready", "True Ready");
  });

  it("a claim grows with its size, says when its class can't, and what can't change at all", async () => {
    const space = stage.open();
    for (const name of ["grows", "fixed"]) {
      await space.group(name, { storage: { size: "1Gi", storageClassName: name } });
      await space.when(agentGroups, name, "VolumeReady", "Unknown Pending");
      await space.bind(name);
      await space.when(agentGroups, name, "VolumeReady", "True Bound");
      await space.group(name, { storage: { size: "2Gi", storageClassName: name } });
    }
    await until(
      "it has grown",
      async () => sizeOf((await space.get(volumeClaims, groupObjectName("grows"))) ?? assert.fail()) === "2Gi",
    );
    await space.when(agentGroups, "fixed", "VolumeReady", "False NotGrown");
    const refusals = async () =>
      (await stage.keepers.writes()).filter(
        (line) => line === `patch persistentvolumeclaims ${space.namespace}/${groupObjectName("fixed")} 403`,
      );
    await space.session("fixed-1", "fixed");
    await space.counted("fixed", { sessions: 1, awake: 0, waiting: 0 });
    assert.equal((await refusals()).length, 1, "it is not tried again for every change");
    stage.keepers.clock.skip(longMs);
    await until("it is tried again", async () => (await refusals()).length === 2);
    for (const storage of [
      { size: "1Gi" },
      { size: "2Gi", accessModes: ["ReadWriteMany"] },
      { size: "2Gi", storageClassName: "x" },
    ]) {
      await space.group("grows", { storage });
      const group = await space.when(agentGroups, "grows", "VolumeReady", "False VolumeFixed");
      assert.match(messageOf(group, "VolumeReady"), /set it back, or copy the files/);
      await space.group("grows", { storage: { size: "2Gi" } });
      await space.when(agentGroups, "grows", "VolumeReady", "True Bound");
    }
  });

  it("a claim that is gone is not replaced by an empty one until a person says so", async () => {
    const space = stage.open();
    await space.group("a");
    await space.when(agentGroups, "a", "Ready", "True Ready");
    await space.remove(volumeClaims, groupObjectName("a"));
    await space.when(agentGroups, "a", "Ready", "False VolumeMissing");
    await space.put(agentGroups, "a", { spec: {} }, { annotations: { [annotations.newVolume]: "true" } });
    const group = await space.when(agentGroups, "a", "Ready", "True Ready");
    await until("the wish is done", async () => {
      const { metadata } = (await space.get(agentGroups, "a")) ?? group;
      return metadata.annotations?.[annotations.newVolume] === undefined;
    });
  });

  it("a deleted group leaves its claim, which says so and which a group of that name takes over", async () => {
    const space = stage.open();
    await space.group("a");
    const { uid } = (await space.when(agentGroups, "a", "Ready", "True Ready")).metadata;
    const claim = (await space.get(volumeClaims, groupObjectName("a"))) ?? assert.fail("no claim");
    const pod = await space.pod("a-1", "a");
    await stage.server.delete(agentGroups, { namespace: space.namespace, name: "a" });
    const kept = await until("it is marked", async () => {
      const found = await space.get(volumeClaims, groupObjectName("a"));
      return found?.metadata.labels?.[labels.kept] === "true" && found;
    });
    assert.deepEqual([kept.metadata.uid, kept.metadata.ownerReferences], [claim.metadata.uid, undefined]);
    assert.ok(await space.get(networkPolicies, groupObjectName("a")), "a pod that still ends is not let loose");
    await pod.remove();
    await until(
      "the policy is gone",
      async () => (await space.get(networkPolicies, groupObjectName("a"))) === undefined,
    );
    await space.group("a");
    await space.when(agentGroups, "a", "Ready", "Unknown Replacing");
    // Where a controller manager runs, the garbage collector does this.
    for (const one of [configMaps, serviceAccounts]) await space.remove(one, groupObjectName("a"));
    const again = await space.when(agentGroups, "a", "Ready", "True Ready");
    const taken = (await space.get(volumeClaims, groupObjectName("a"))) ?? assert.fail("no claim");
    assert.notEqual(again.metadata.uid, uid);
    assert.deepEqual([taken.metadata.uid, taken.metadata.labels?.[labels.kept]], [claim.metadata.uid, undefined]);
  });

  it("with retain: Delete a group goes after its last pod, and its volume with it", async () => {
    const space = stage.open();
    await space.group("a", { storage: { retain: "Delete" } });
    await space.when(agentGroups, "a", "Ready", "True Ready");
    const pod = await space.pod("a-1", "a");
    await stage.server.delete(agentGroups, { namespace: space.namespace, name: "a" });
    await space.writes();
    const claim = async () => await space.get(volumeClaims, groupObjectName("a"));
    assert.equal((await claim())?.metadata.deletionTimestamp, undefined, "a pod still has it");
    assert.ok(await space.get(agentGroups, "a"));
    await pod.remove();
    await until("the claim is being deleted", async () => (await claim())?.metadata.deletionTimestamp);
    await space.release(groupObjectName("a"));
    await until("the group is gone", async () => (await space.get(agentGroups, "a")) === undefined);
    assert.equal(await claim(), undefined);
  });

  it("a Credential says whether its key is there and who uses it, and never what it is", async () => {
    const space = stage.open();
    const upstream = { api: "Anthropic" };
    await space.put(credentials, "model", { spec: { upstream, secretRef: { name: "model", key: "key" } } });
    await space.group("a", { credentials: ["model", "none"] });
    const missing = await space.when(credentials, "model", "Ready", "False SecretMissing");
    assert.match(messageOf(missing, "Ready"), /kubectl create secret generic model/);
    await space.when(agentGroups, "a", "CredentialsReady", "False Missing");
    await space.group("a", { credentials: ["model"] });
    await space.when(agentGroups, "a", "Ready", "False SecretMissing");
    await space.put(secrets, "model", { stringData: { other: canary } });
    stage.keepers.clock.skip(longMs);
    await space.when(credentials, "model", "Ready", "False KeyMissing");
    await space.put(secrets, "model", { stringData: { key: canary } });
    stage.keepers.clock.skip(longMs);
    const { status } = await space.when(credentials, "model", "Ready", "True Ready");
    assert.deepEqual(status instanceof Object && "usedBy" in status && status.usedBy, ["a"]);
    await space.when(agentGroups, "a", "Ready", "True Ready");
    const hash = async () =>
      (await space.get(configMaps, groupObjectName("a")))?.metadata.annotations?.[annotations.rules];
    const before = await hash();
    await space.put(credentials, "model", {
      spec: { upstream, revision: 1, secretRef: { name: "model", key: "key" } },
    });
    await until("the rules have another hash", async () => (await hash()) !== before);
    const encoded = Buffer.from(canary).toString("base64");
    const told = stage.keepers.logged.filter((line) => line.includes(canary) || line.includes(encoded));
    assert.deepEqual([told, stage.keepers.logged.length > 0], [[], true]);
  });

  it("a private upstream opens its host and port alone, and its name is asked for again", async () => {
    const space = stage.open();
    const upstreams = {
      service: "http://ollama.models.svc.cluster.local:11434",
      address: "http://10.9.8.7:8000",
      name: "https://model.lan",
      metadata: "http://169.254.169.254",
    };
    for (const [name, baseUrl] of Object.entries(upstreams))
      await space.put(credentials, name, { spec: { upstream: { api: "OpenAI", baseUrl, private: true } } });
    await space.group("a", {
      credentials: Object.keys(upstreams),
      network: { allow: [{ cidr: "10.1.0.0/16", ports: [5432] }] },
    });
    const rules = async () =>
      egressOf((await space.get(networkPolicies, groupObjectName("a"))) ?? { metadata: {}, spec: { egress: [] } });
    const tcp = (port: number) => ({ ports: [{ protocol: "TCP", port }] });
    const block = (cidr: string) => ({ ipBlock: { cidr } });
    const models = { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "models" } } };
    const expected = (...lan: readonly string[]) => [
      { to: [block("10.1.0.0/16")], ...tcp(5432) },
      { to: [models], ...tcp(11_434) },
      { to: [block("10.9.8.7/32")], ...tcp(8000) },
      { to: lan.map(block), ...tcp(443) },
    ];
    await until("all are open", async () => (await rules()).length === 8);
    assert.deepEqual(
      (await rules()).slice(4).map((rule) => JSON.parse(rule)),
      expected("10.7.0.1/32", "10.7.0.2/32"),
    );
    stage.hosts.set("model.lan", ["10.7.0.3"]);
    stage.keepers.clock.skip(longMs);
    await until("it has moved", async () => (await rules()).at(-1)?.includes("10.7.0.3/32"));
    stage.hosts.delete("model.lan");
    await space.writes();
    assert.deepEqual(
      JSON.parse((await rules()).at(-1) ?? ""),
      expected("10.7.0.3/32").at(-1),
      "an outage closes nothing",
    );
  });

  it("somebody else's policy that lets its pods out is named until it is narrowed", async () => {
    const space = stage.open();
    await space.group("a");
    await space.when(agentGroups, "a", "EgressRestricted", "True Restricted");
    await space.put(networkPolicies, "open", { spec: { podSelector: {}, policyTypes: ["Egress"], egress: [{}] } });
    const group = await space.when(agentGroups, "a", "Ready", "False ForeignPolicy");
    assert.match(messageOf(group, "EgressRestricted"), /open opens egress/);
    await space.put(networkPolicies, "open", { spec: { podSelector: {}, policyTypes: ["Egress"], egress: [] } });
    await space.when(agentGroups, "a", "Ready", "True Ready");
  });

  it("workspaces and mounts that are not there or not allowed are named; a workspace knows its users", async () => {
    const space = stage.open();
    const teamWorkspaces = [{ name: "library" }];
    await space.group("a", { teamWorkspaces, mounts: [{ name: "x", claimName: "other" }] });
    await space.when(agentGroups, "a", "WorkspacesReady", "False Missing");
    await space.when(agentGroups, "a", "MountsAllowed", "False MountRefused");
    await space.put(workspaces, "library", { spec: { size: "3Gi", accessModes: ["ReadWriteMany"] } });
    await space.group("a", { teamWorkspaces, mounts: [{ name: "x", claimName: "data-1" }] });
    await space.when(agentGroups, "a", "WorkspacesReady", "True Ready");
    await space.when(agentGroups, "a", "MountsAllowed", "True Allowed");
    const { status } = await space.when(workspaces, "library", "Ready", "True Ready");
    assert.deepEqual(status instanceof Object && "usedBy" in status && status.usedBy, ["a"]);
    const claim = await space.get(volumeClaims, workspaceObjectName("library"));
    assert.equal(sizeOf(claim ?? assert.fail("no claim")), "3Gi");
    await space.group("a");
    await space.when(agentGroups, "a", "WorkspacesReady", undefined);
    await stage.server.delete(workspaces, { namespace: space.namespace, name: "library" });
    await until("the claim is kept", async () => {
      const kept = await space.get(volumeClaims, workspaceObjectName("library"));
      return kept?.metadata.labels?.[labels.kept] === "true";
    });
  });

  it("sessions are counted, with few writes however often they change", async () => {
    const space = stage.open();
    await space.group("a", { suspended: true });
    await space.when(agentGroups, "a", "Ready", "False Suspended");
    for (const name of ["a-1", "a-2", "a-3"]) await space.session(name, "a");
    await space.patchStatus(sessions, "a-1", { phase: "Awake" });
    await space.patchStatus(sessions, "a-2", { phase: "Asleep", pending: 2 });
    await space.counted("a", { sessions: 3, awake: 1, waiting: 1 });
    const before = (await space.writes()).length;
    for (const phase of ["Draining", "Asleep", "Waking", "Awake", "Draining", "Asleep"]) {
      await space.patchStatus(sessions, "a-1", { phase });
    }
    await space.counted("a", { sessions: 3, awake: 0, waiting: 1 });
    assert.ok((await space.writes()).length - before <= 2);
  });

  it("the Session of a conversation that slept for long goes, and no other", async () => {
    const space = stage.open();
    const sleeping = { phase: "Asleep", pending: 0, lastActiveAt: new Date(stage.keepers.clock.now()).toISOString() };
    const statuses = { old: sleeping, busy: { ...sleeping, phase: "Awake" }, waiting: { ...sleeping, pending: 1 } };
    for (const [name, status] of Object.entries(statuses)) {
      await space.session(name, "a");
      await space.patchStatus(sessions, name, status);
    }
    await space.group("a", { session: { idleAfter: "10m", retainFor: "1h" } });
    await space.counted("a", { sessions: 3, awake: 1, waiting: 1 });
    assert.ok(await space.get(sessions, "old"));
    stage.keepers.clock.skip(60 * 60_000);
    await until("it is gone", async () => (await space.get(sessions, "old")) === undefined);
    await space.writes();
    for (const name of ["busy", "waiting"]) assert.ok(await space.get(sessions, name), name);
  });
});

const canary = "canary-5b1f9e";
const kindsOf = { AgentGroup: agentGroups, Workspace: workspaces, Credential: credentials };

function readSample(file: string): [Resource, KubeObject] {
  const sample = parse(readFileSync(join(crdsFolder, "samples", `${file}.yaml`), "utf8"));
  const found = Object.entries(kindsOf).find(([kind]) => kind === sample.kind);
  return [found?.[1] ?? assert.fail(file), sample];
}
