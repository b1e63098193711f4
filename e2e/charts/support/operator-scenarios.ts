import { randomUUID } from "node:crypto";
import {
  annotations,
  groupObjectName,
  labels,
  operatorName,
  podNameOf,
  volumeFinalizer,
  workspaceObjectName,
} from "@copepod/core/cluster";
import { eventResource } from "@copepod/kube/controller/events";
import { leaseResource } from "@copepod/kube/lease/lease-record";
import type { KubeObject, Resource } from "@copepod/kube/object";
import {
  agentGroups,
  configMaps,
  credentials,
  networkPolicies,
  nodes,
  pods,
  serviceAccounts,
  sessions,
  volumeClaims,
  workspaces,
} from "@copepod/operator/resources";
import { z } from "zod";
import { running, SimulatedKubelet } from "../../operator/support/kubelet.ts";
import { RunningOperator } from "../../operator/support/operators.ts";
import { SkippingClock } from "../../operator/support/skipping-clock.ts";
import type { Look, Scenario, Space } from "./space.ts";

const group = "helper";
const object = groupObjectName(group);
const pod = podNameOf("one", 1);
const secrets: Resource = { group: "", version: "v1", kind: "Secret", plural: "secrets", namespaced: true };
const longMs = 6 * 60_000;

const putGroup = async (space: Space, spec: object = {}): Promise<void> =>
  await space.put(agentGroups, group, { spec });

async function putCredential(space: Space, header = "x-key"): Promise<void> {
  const match = { hosts: ["api.example.org"], paths: ["/**"], methods: ["GET"] };
  const spec = { match, inject: { header, format: "{secret}" }, secretRef: { name: "outside" } };
  await space.put(credentials, "outside", { spec });
}

async function runKubelet({ installation: { rig }, namespace, stack }: Space): Promise<SimulatedKubelet> {
  return stack.use(new SimulatedKubelet({ server: rig.admin, plane: rig.plane, namespace }));
}

/** A session with a pod that runs. */
async function putAwake(space: Space): Promise<Look> {
  await runKubelet(space);
  await putCredential(space);
  await putGroup(space, { credentials: ["outside"] });
  await space.wake(group);
  return space.sees(sessions, "one", ({ status }) => JSON.stringify(status ?? {}).includes('"phase":"Awake"'));
}

const made = (resource: Resource, name = object): Scenario => ({
  name: `a new agent group gets its ${resource.kind}`,
  begin: async (space) => {
    await putGroup(space);
    return space.sees(resource, name);
  },
});

const woken: Scenario = {
  name: "a session that is wanted gets a pod",
  begin: async (space) => {
    await putGroup(space);
    await space.wake(group);
    return space.hasPod();
  },
};
/** What was refused is tried with the next epoch. */
const wokenAgain: Scenario = {
  ...woken,
  begin: async (space) => {
    await woken.begin(space);
    return async () => (await space.page(pods)).length > 0;
  },
  again: async (space) => await space.wake(group, { epoch: 2 }),
};

const workspaceMade: Scenario = {
  name: "a workspace gets its volume",
  begin: async (space) => {
    await space.put(workspaces, "shared", { spec: { size: "1Gi" } });
    return space.sees(volumeClaims, workspaceObjectName("shared"));
  },
};

const credentialTold: Scenario = {
  name: "a Credential says how it is",
  begin: async (space) => {
    await putCredential(space);
    return space.says(credentials, "outside", "Ready");
  },
};

const groupMissing: Scenario = {
  name: "a session of an agent group that is not there says so",
  begin: async (space) => {
    await space.wake("nobody");
    return space.says(sessions, "one", "Ready", "False GroupMissing");
  },
};

const ruled = (
  resource: Resource,
  isNew: (before: KubeObject | undefined, after: KubeObject) => boolean,
  name: string,
): Scenario => ({
  name: `${resource === pods ? "a pod that runs" : "an agent group's ConfigMap"} gets changed rules`,
  begin: async (space) => {
    await space.when(await putAwake(space));
    const before = await space.get(resource, name);
    await putCredential(space, "x-other");
    return space.sees(resource, name, (after) => isNew(before, after));
  },
});
const rulesDiffer = (before: KubeObject | undefined, after: KubeObject): boolean =>
  before?.metadata.annotations?.[annotations.rules] !== after.metadata.annotations?.[annotations.rules];

/** A group whose volume is there, deleted. */
const deleted = (retain: string, what: string, lookOf: (space: Space) => Look): Scenario => ({
  name: what,
  begin: async (space) => {
    await putGroup(space, { storage: { retain } });
    for (const resource of [volumeClaims, networkPolicies]) await space.when(space.sees(resource, object));
    await space.remove(agentGroups, group);
    return lookOf(space);
  },
});

const listed = Object.fromEntries(
  [
    agentGroups,
    credentials,
    sessions,
    workspaces,
    pods,
    volumeClaims,
    configMaps,
    serviceAccounts,
    networkPolicies,
    nodes,
  ].map(({ plural }) => [`list ${plural}`, woken]),
);

const leaseTimes = z.object({ spec: z.object({ acquireTime: z.string(), renewTime: z.string() }) });

/** By right: what works with it, and not without it. */
export const operatorScenarios: Readonly<Record<string, Scenario>> = {
  ...listed,
  "watch agentgroups": made(serviceAccounts),
  "watch credentials": credentialTold,
  "watch sessions": woken,
  "watch workspaces": workspaceMade,
  "get agentgroups": groupMissing,
  "patch agentgroups/status": {
    name: "an agent group says how it is",
    begin: async (space) => {
      await putGroup(space);
      return space.says(agentGroups, group, "Ready");
    },
  },
  "patch credentials/status": credentialTold,
  "patch sessions/status": groupMissing,
  "patch workspaces/status": {
    name: "a workspace says how it is",
    begin: async (space) => {
      await workspaceMade.begin(space);
      return space.says(workspaces, "shared", "Ready");
    },
  },
  "patch agentgroups": {
    name: "an agent group with `retain` Delete is held",
    begin: async (space) => {
      await putGroup(space, { storage: { retain: "Delete" } });
      return space.sees(agentGroups, group, ({ metadata }) => metadata.finalizers?.includes(volumeFinalizer) ?? false);
    },
  },
  "patch workspaces": {
    name: "a workspace with `retain` Delete is held",
    begin: async (space) => {
      await space.put(workspaces, "shared", { spec: { size: "1Gi", retain: "Delete" } });
      return space.sees(
        workspaces,
        "shared",
        ({ metadata }) => metadata.finalizers?.includes(volumeFinalizer) ?? false,
      );
    },
  },
  "update agentgroups/finalizers": { ...made(serviceAccounts), refused: "create serviceaccounts" },
  "update sessions/finalizers": { ...wokenAgain, refused: "create pods" },
  "delete sessions": {
    name: "a session that slept for `retainFor` is removed",
    begin: async (space) => {
      await space.wake(group, { wanted: false });
      const status = { phase: "Asleep", pending: 0, lastActiveAt: "2020-01-01T00:00:00Z" };
      await space.patch(sessions, "one", { status }, "status");
      await putGroup(space, { session: { retainFor: "1h" } });
      return space.isGone(sessions, "one");
    },
  },
  "get pods": {
    name: "a session whose pod's name is taken says so",
    begin: async (space) => {
      await space.put(pods, pod, { spec: { containers: [{ name: "main", image: "image" }] } });
      await putGroup(space);
      await space.wake(group);
      return space.says(sessions, "one", "Ready", "False Conflict");
    },
  },
  "watch pods": { name: "a session whose pod runs is awake", begin: putAwake },
  "create pods": wokenAgain,
  "patch pods": ruled(pods, rulesDiffer, pod),
  "delete pods": {
    name: "a session that is not wanted any more has no pod",
    begin: async (space) => {
      await space.when(await putAwake(space));
      await space.wake(group, { wanted: false });
      return space.isGone(pods, pod);
    },
  },
  "get persistentvolumeclaims": made(volumeClaims),
  "watch persistentvolumeclaims": woken,
  "create persistentvolumeclaims": {
    ...made(volumeClaims),
    again: async (space) => await putGroup(space, { instructions: "Help." }),
  },
  "patch persistentvolumeclaims": deleted("Keep", "the volume of an agent group that is gone is marked", (space) =>
    space.sees(volumeClaims, object, ({ metadata }) => metadata.labels?.[labels.kept] !== undefined),
  ),
  "delete persistentvolumeclaims": deleted(
    "Delete",
    "the volume of an agent group with `retain` Delete goes with it",
    (space) => space.isGone(volumeClaims, object),
  ),
  "get configmaps": made(configMaps),
  "watch configmaps": woken,
  "create configmaps": made(configMaps),
  "patch configmaps": ruled(configMaps, rulesDiffer, object),
  "get serviceaccounts": made(serviceAccounts),
  "watch serviceaccounts": woken,
  "create serviceaccounts": made(serviceAccounts),
  "patch serviceaccounts": {
    name: "a ServiceAccount that somebody has changed is set back",
    begin: async (space) => {
      await putGroup(space);
      await space.when(space.sees(serviceAccounts, object));
      await space.patch(serviceAccounts, object, { automountServiceAccountToken: true });
      return space.sees(serviceAccounts, object, (account) => account.automountServiceAccountToken === false);
    },
  },
  "get networkpolicies": made(networkPolicies),
  "watch networkpolicies": woken,
  "create networkpolicies": made(networkPolicies),
  "patch networkpolicies": {
    name: "an agent group's sessions reach what it has come to allow",
    begin: async (space) => {
      await putGroup(space);
      await space.when(space.sees(networkPolicies, object));
      await putGroup(space, { network: { allow: [{ cidr: "10.9.0.0/16", ports: [443] }] } });
      return space.sees(networkPolicies, object, ({ spec }) => JSON.stringify(spec).includes("10.9.0.0/16"));
    },
  },
  "delete networkpolicies": deleted("Keep", "the policy of an agent group that is gone goes too", (space) =>
    space.isGone(networkPolicies, object),
  ),
  "create events": {
    name: "what is wrong with a session is an Event",
    begin: async (space) => {
      await groupMissing.begin(space);
      return async () => (await space.page(eventResource)).length > 0;
    },
    again: async (space) => await space.wake("nobody", { name: "two" }),
  },
  "patch events": {
    name: "what is wrong with a session again and again is one Event",
    begin: async (space) => {
      const { installation, namespace, stack } = space;
      const clock = new SkippingClock();
      const plane = { kubeconfig: await installation.login("operator") };
      stack.use(new RunningOperator({ plane, namespace, name: "operator-2", lease: installation.release, clock }));
      let epoch = 0;
      return async () => {
        await space.wake("nobody", { epoch: ++epoch });
        // What repeats is written every few minutes.
        if (epoch % 10 === 0) clock.skip(longMs);
        return (await space.page(eventResource)).some(({ series }) => series !== undefined);
      };
    },
  },
  "get secrets": {
    name: "a Credential says that its key is there",
    begin: async (space) => {
      await space.put(secrets, "outside", { stringData: { key: randomUUID() } });
      await putCredential(space);
      return space.says(credentials, "outside", "Ready", "True Ready");
    },
    again: async (space) => await putCredential(space, "x-other"),
  },
  "get leases": made(serviceAccounts),
  "create leases": made(serviceAccounts),
  "patch leases": {
    name: "who leads goes on leading",
    begin:
      async ({ installation: { rig, release } }) =>
      async () => {
        const place = { namespace: release, name: operatorName };
        const lease = await rig.admin.get(leaseResource, place).catch(() => undefined);
        const times = lease && leaseTimes.parse(lease).spec;
        return times !== undefined && times.renewTime !== times.acquireTime;
      },
  },
  "watch nodes": {
    name: "a session whose node is lost says so",
    begin: async (space) => {
      const { rig } = space.installation;
      const node = `node-${space.namespace}`;
      await rig.admin.create(nodes, { metadata: { name: node } });
      const kubelet = await runKubelet(space);
      kubelet.starts = false;
      await woken.begin(space);
      await space.when(space.hasPod());
      const binding = { metadata: { name: pod }, target: { apiVersion: "v1", kind: "Node", name: node } };
      await rig.plane.call("POST", `/api/v1/namespaces/${space.namespace}/pods/${pod}/binding`, binding);
      await kubelet.say(pod, running());
      const [lastTransitionTime, lastHeartbeatTime] = ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"];
      const lost = {
        type: "Ready",
        status: "Unknown",
        reason: "NodeStatusUnknown",
        lastTransitionTime,
        lastHeartbeatTime,
      };
      await rig.admin.mergePatch(nodes, { name: node, subresource: "status" }, { status: { conditions: [lost] } });
      return space.says(sessions, "one", "Ready", "False PodLost");
    },
  },
};
