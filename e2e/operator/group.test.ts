import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import {
  annotations,
  groupObjectName,
  labels,
  operatorName,
  rulesKey,
  workspaceObjectName,
} from "@copepod/core/cluster";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { isNotFound } from "@copepod/kube/errors";
import type { KubeObject, Resource } from "@copepod/kube/object";
import {
  agentGroups,
  configMaps,
  credentials,
  networkPolicies,
  pods,
  serviceAccounts,
  sessions,
  volumeClaims,
  workspaces,
} from "@copepod/operator/resources";
import { parse } from "yaml";
import type { ControlPlane } from "../cluster/control-plane/control-plane.ts";
import { crdsFolder, readCrds, startWithKinds } from "../crds/judge.ts";
import { controlPlaneGate } from "../support/control-plane.ts";
import { until } from "../support/until.ts";
import { Keepers } from "./support/keepers.ts";
import { conditionOf, countsOf, dataOf, egressOf, messageOf, sizeOf } from "./support/read.ts";

const core = (kind: string, plural: string, namespaced: boolean): Resource => ({
  ...{ group: "", version: "v1", kind, plural, namespaced },
});
const namespaces = core("Namespace", "namespaces", false);
const secrets = core("Secret", "secrets", true);
const classes: Resource = { ...core("StorageClass", "storageclasses", false), group: "storage.k8s.io" };

/** Each look lets this much time pass, so that nobody waits for intervals of seconds. */
const lookMs = 200;
/** Longer than every interval at which something is looked at again. */
const longMs = 10 * 60_000;
const canary = "canary-5b1f9e";

describe("agent groups, workspaces and credentials on a real API server", { skip: await controlPlaneGate() }, () => {
  let plane: ControlPlane;
  let server: KubeClient;
  let keepers: Keepers;
  const hosts = new Map([["model.lan", ["10.7.0.2", "10.7.0.1", "169.254.169.254"]]]);
  const spaces = Array.from({ length: 12 }, (_, at) => `agents-${at}`);
  let used = 0;

  before(async () => {
    plane = await startWithKinds(readCrds(join(crdsFolder, "generated")));
    const identity = kubeconfig({ files: [plane.kubeconfig] });
    server = createKubeClient({ identity, userAgent: "people/1", clock: systemClock, random: Math.random });
    for (const name of spaces) await server.create(namespaces, { metadata: { name } });
    for (const [name, allowVolumeExpansion] of [
      ["grows", true],
      ["fixed", false],
    ] as const) {
      await server.create(classes, { metadata: { name }, provisioner: "example.dev/disk", allowVolumeExpansion });
    }
    const mountPolicy = { allow: [{ claimNames: ["data-*"], readOnly: true }] };
    const lookup = async (host: string) => hosts.get(host) ?? [];
    keepers = new Keepers({ plane, namespaces: spaces, lookup, mountPolicy });
  });
  after(async () => {
    await keepers?.[Symbol.asyncDispose]();
    await server?.close();
    await plane?.[Symbol.asyncDispose]();
  });

  /** A namespace that no other test uses, and what is done in it. */
  function open() {
    const namespace = spaces[used++] ?? assert.fail("more namespaces are needed");
    const put = async (resource: Resource, name: string, fields: object, marks?: object) =>
      await server.apply(
        resource,
        { metadata: { namespace, name, ...marks }, ...fields },
        { fieldManager: "people", force: true },
      );
    const get = async (resource: Resource, name: string): Promise<KubeObject | undefined> =>
      await server.get(resource, { namespace, name }).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
    const when = async (resource: Resource, name: string, type: string, expected: string | undefined) => {
      let last: KubeObject | undefined;
      const look = async () => {
        keepers.check();
        keepers.clock.skip(lookMs);
        last = await get(resource, name);
        return last && conditionOf(last, type) === expected && last;
      };
      return await until(`${name}: ${type} is ${expected}`, look, 15_000).catch((error: unknown) => {
        throw new Error(`${JSON.stringify(last?.status)}`, { cause: error });
      });
    };
    const counted = async (name: string, counts: object) =>
      await until(`${name} has ${JSON.stringify(counts)}`, async () => {
        keepers.clock.skip(lookMs);
        return isDeepStrictEqual(countsOf(await get(agentGroups, name)), counts);
      });
    const patchStatus = async (resource: Resource, name: string, status: object) =>
      await server.mergePatch(resource, { namespace, name, subresource: "status" }, { status });
    const group = async (name: string, spec: object = {}) => await put(agentGroups, name, { spec });
    return { namespace, put, get, when, counted, patchStatus, group };
  }
  type Space = ReturnType<typeof open>;

  const claimOf = groupObjectName;
  const bind = async ({ patchStatus }: Space, name: string) =>
    await patchStatus(volumeClaims, claimOf(name), { phase: "Bound", accessModes: ["ReadWriteOnce"] });

  /** A pod as the operator labels it; no kubelet runs it. */
  const makePod = async ({ namespace }: Space, name: string, group: string) => {
    const metadata = { namespace, name, labels: { [labels.managedBy]: operatorName, [labels.group]: group } };
    const spec = { serviceAccountName: claimOf(group), containers: [{ name: "agent", image: "agent" }] };
    await server.create(pods, { metadata, spec });
    return { remove: async () => await server.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 }) };
  };

  const makeSession = async ({ put }: Space, name: string, group: string) =>
    await put(sessions, name, { spec: { group, key: { kind: "Conversation", conversation: name } } });

  /** Writes of the operator in the namespace, once all that it has to do is done. */
  async function writesIn({ namespace }: Space): Promise<readonly string[]> {
    const read = async () => (await keepers.writes()).filter((line) => line.includes(` ${namespace}/`));
    let before = await read();
    await until("nothing is written any more", async () => {
      keepers.clock.skip(longMs);
      const now = await read();
      const isQuiet = now.length === before.length;
      before = now;
      return isQuiet;
    });
    return before;
  }

  it("an agent group gets an account without a token, a claim, its rules and a policy, each by one write", async () => {
    const space = open();
    await space.group("a", { credentials: [] });
    await space.when(agentGroups, "a", "Ready", "True Ready");
    const account = await space.get(serviceAccounts, claimOf("a"));
    assert.equal(account?.automountServiceAccountToken, false);
    const rules = await space.get(configMaps, claimOf("a"));
    assert.deepEqual(JSON.parse(dataOf(rules ?? assert.fail("no rules"))[rulesKey] ?? ""), {
      ...{ group: "a", upstreams: [], rules: [] },
    });
    assert.equal(sizeOf((await space.get(volumeClaims, claimOf("a"))) ?? assert.fail("no claim")), "10Gi");
    const policy = (await space.get(networkPolicies, claimOf("a"))) ?? assert.fail("no policy");
    assert.equal(egressOf(policy).length, 4, "DNS, the router, the internet in both families");
    const writes = await writesIn(space);
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

  it("samples that are applied again cause no write, and neither does time", async () => {
    const space = open();
    const samples = ["agent-group", "workspace", "credential"].map(readSample);
    const apply = async () => {
      for (const [resource, { metadata, spec }] of samples) await space.put(resource, metadata.name ?? "", { spec });
    };
    await apply();
    await space.when(agentGroups, "helper", "Ready", "True Ready");
    await space.when(workspaces, "library", "Ready", "True Ready");
    await space.when(credentials, "anthropic", "Ready", "False SecretMissing");
    const first = await writesIn(space);
    await apply();
    await apply();
    assert.deepEqual((await writesIn(space)).slice(first.length), []);
  });

  it("what others change of its objects is mended, and a deleted one made anew", async () => {
    const space = open();
    await space.group("a");
    await space.when(agentGroups, "a", "Ready", "True Ready");
    const place = { namespace: space.namespace, name: claimOf("a") };
    await server.mergePatch(networkPolicies, place, { spec: { egress: [{}], ingress: [{}] } });
    await server.mergePatch(configMaps, place, { data: { [rulesKey]: "{}", more: "x" } });
    await server.delete(serviceAccounts, place);
    await until("all is as it was", async () => {
      const [policy, rules, account] = await Promise.all(
        [networkPolicies, configMaps, serviceAccounts].map(async (one) => await space.get(one, place.name)),
      );
      const isClosed = policy?.spec instanceof Object && !("ingress" in policy.spec) && egressOf(policy).length === 4;
      return account && isClosed && Object.keys(dataOf(rules ?? { metadata: {} })).join() === rulesKey;
    });
  });

  it("somebody else's objects with its names stay untouched, and are named; it goes on when they are gone", async () => {
    const space = open();
    const taken = [
      [configMaps, { data: { own: "theirs" } }],
      [serviceAccounts, { automountServiceAccountToken: true }],
      [networkPolicies, { spec: { podSelector: { matchLabels: { app: "theirs" } }, policyTypes: ["Ingress"] } }],
      [volumeClaims, { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } }],
    ] as const;
    const name = claimOf("taken");
    for (const [resource, fields] of taken) await space.put(resource, name, fields);
    const before = await Promise.all(taken.map(async ([resource]) => await space.get(resource, name)));
    await space.group("taken");
    const group = await space.when(agentGroups, "taken", "Ready", "False Conflict");
    for (const kind of ["ConfigMap", "ServiceAccount", "NetworkPolicy"])
      assert.match(messageOf(group, "Ready"), new RegExp(kind));
    assert.equal(conditionOf(group, "VolumeReady"), "False Conflict");
    const writes = await writesIn(space);
    assert.deepEqual(
      writes.filter((line) => !line.includes("agentgroups/status")),
      [],
    );
    assert.deepEqual(await Promise.all(taken.map(async ([resource]) => await space.get(resource, name))), before);
    for (const [resource] of taken) await removeClaimOr(space, resource, name);
    keepers.clock.skip(longMs);
    await space.when(agentGroups, "taken", "Ready", "True Ready");
  });

  const removeClaimOr = async ({ namespace, get }: Space, resource: Resource, name: string) => {
    // Where a controller manager runs, it takes this finalizer away once no pod has the claim.
    if (resource === volumeClaims)
      await server.mergePatch(resource, { namespace, name }, { metadata: { finalizers: [] } });
    await server.delete(resource, { namespace, name });
    await until(`${name} is gone`, async () => (await get(resource, name)) === undefined);
  };

  it("a claim grows with its size, says when its class can't, and what can't change at all", async () => {
    const space = open();
    for (const name of ["grows", "fixed"]) {
      await space.group(name, { storage: { size: "1Gi", storageClassName: name } });
      await space.when(agentGroups, name, "VolumeReady", "Unknown Pending");
      await bind(space, name);
      await space.when(agentGroups, name, "VolumeReady", "True Bound");
      await space.group(name, { storage: { size: "2Gi", storageClassName: name } });
    }
    await until(
      "it has grown",
      async () => sizeOf((await space.get(volumeClaims, claimOf("grows"))) ?? assert.fail()) === "2Gi",
    );
    await space.when(agentGroups, "fixed", "VolumeReady", "False NotGrown");
    const refusals = async () =>
      (await keepers.writes()).filter(
        (line) => line === `patch persistentvolumeclaims ${space.namespace}/${claimOf("fixed")} 403`,
      );
    await makeSession(space, "fixed-1", "fixed");
    await space.counted("fixed", { sessions: 1, awake: 0, waiting: 0 });
    assert.equal((await refusals()).length, 1, "it is not tried again for every change");
    keepers.clock.skip(longMs);
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
    const space = open();
    await space.group("a");
    await space.when(agentGroups, "a", "Ready", "True Ready");
    await removeClaimOr(space, volumeClaims, claimOf("a"));
    await space.when(agentGroups, "a", "Ready", "False VolumeMissing");
    await space.put(agentGroups, "a", { spec: {} }, { annotations: { [annotations.newVolume]: "true" } });
    const group = await space.when(agentGroups, "a", "Ready", "True Ready");
    await until("the wish is done", async () => {
      const { metadata } = (await space.get(agentGroups, "a")) ?? group;
      return metadata.annotations?.[annotations.newVolume] === undefined;
    });
  });

  it("a deleted group leaves its claim, which says so and which a group of that name takes over", async () => {
    const space = open();
    await space.group("a");
    const { uid } = (await space.when(agentGroups, "a", "Ready", "True Ready")).metadata;
    const claim = (await space.get(volumeClaims, claimOf("a"))) ?? assert.fail("no claim");
    const pod = await makePod(space, "a-1", "a");
    await server.delete(agentGroups, { namespace: space.namespace, name: "a" });
    const kept = await until("it is marked", async () => {
      const found = await space.get(volumeClaims, claimOf("a"));
      return found?.metadata.labels?.[labels.kept] === "true" && found;
    });
    assert.deepEqual([kept.metadata.uid, kept.metadata.ownerReferences], [claim.metadata.uid, undefined]);
    assert.ok(await space.get(networkPolicies, claimOf("a")), "a pod that still ends is not let loose");
    await pod.remove();
    await until("the policy is gone", async () => (await space.get(networkPolicies, claimOf("a"))) === undefined);
    // Where a controller manager runs, the garbage collector does this.
    for (const one of [configMaps, serviceAccounts]) await removeClaimOr(space, one, claimOf("a"));
    await space.group("a");
    const again = await space.when(agentGroups, "a", "Ready", "True Ready");
    const taken = (await space.get(volumeClaims, claimOf("a"))) ?? assert.fail("no claim");
    assert.notEqual(again.metadata.uid, uid);
    assert.deepEqual([taken.metadata.uid, taken.metadata.labels?.[labels.kept]], [claim.metadata.uid, undefined]);
  });
});

const kindsOf = { AgentGroup: agentGroups, Workspace: workspaces, Credential: credentials };

function readSample(file: string): [Resource, KubeObject] {
  const sample = parse(readFileSync(join(crdsFolder, "samples", `${file}.yaml`), "utf8"));
  const found = Object.entries(kindsOf).find(([kind]) => kind === sample.kind);
  return [found?.[1] ?? assert.fail(file), sample];
}
