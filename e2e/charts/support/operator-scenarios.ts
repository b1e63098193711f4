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
import type { HasMetadata, KubeObject, Resource } from "@copepod/kube/object";
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
const longAgo = "2020-01-01T00:00:00Z";

const putGroup = async (space: Space, spec: object = {}): Promise<void> =>
  await space.put(agentGroups, group, { spec });

async function putCredential(space: Space, header = "x-key"): Promise<void> {
  const match = { hosts: ["api.example.org"], paths: ["/**"], methods: ["GET"] };
  const spec = { match, inject: { header, format: "{secret}" }, secretRef: { name: "outside" } };
  await space.put(credentials, "outside", { spec });
}

const runKubelet = ({ installation: { rig }, namespace, stack }: Space): SimulatedKubelet =>
  stack.use(new SimulatedKubelet({ server: rig.admin, plane: rig.plane, namespace }));

/** A session with a pod that runs. */
async function putAwake(space: Space): Promise<Look> {
  runKubelet(space);
  await putCredential(space);
  await putGroup(space, { credentials: ["outside"] });
  await space.wake(group);
  return space.sees(sessions, "one", ({ status }) => JSON.stringify(status ?? {}).includes('"phase":"Awake"'));
}

type Put = (space: Space) => Promise<unknown>;
type LookOf = (space: Space) => Look;

const scene = (name: string, put: Put, look: LookOf, more: Partial<Scenario> = {}): Scenario => ({
  ...{ name, ...more },
  begin: async (space) => {
    await put(space);
    return look(space);
  },
});

const made = (resource: Resource, more: Partial<Scenario> = {}): Scenario =>
  scene(`a new agent group gets its ${resource.kind}`, putGroup, (space) => space.sees(resource, object), more);

async function putWanted(space: Space): Promise<void> {
  await putGroup(space);
  await space.wake(group);
}
const woken = scene("a session that is wanted gets a pod", putWanted, (space) => space.sees(pods, pod));
/** What was refused is tried with the next epoch. */
const wokenAgain = scene(woken.name, putWanted, (space) => async () => (await space.page(pods)).length > 0, {
  again: async (space) => await space.wake(group, { epoch: 2 }),
});

const putWorkspace = async (space: Space, retain = "Keep") =>
  await space.put(workspaces, "shared", { spec: { size: "1Gi", retain } });
const isHeld = ({ metadata }: HasMetadata): boolean => metadata.finalizers?.includes(volumeFinalizer) ?? false;

const credentialTold = scene("a Credential says how it is", putCredential, (space) =>
  space.says(credentials, "outside", "Ready"),
);
const groupMissing = scene(
  "a session of an agent group that is not there says so",
  async (space) => await space.wake("nobody"),
  (space) => space.says(sessions, "one", "Ready", "False GroupMissing"),
);

const ruled = (resource: Resource, name: string): Scenario => ({
  name: `the ${resource.kind} of an agent group gets changed rules`,
  begin: async (space) => {
    await space.when(await putAwake(space));
    const rulesOf = (found: KubeObject | undefined) => found?.metadata.annotations?.[annotations.rules];
    const before = rulesOf(await space.get(resource, name));
    await putCredential(space, "x-other");
    return space.sees(resource, name, (after) => rulesOf(after) !== before);
  },
});

/** What is done to an agent group that has all of its objects. */
const later = (name: string, spec: object, act: Put, look: LookOf): Scenario => {
  const put: Put = async (space) => {
    await putGroup(space, spec);
    for (const one of [volumeClaims, networkPolicies, serviceAccounts]) await space.when(space.sees(one, object));
    await act(space);
  };
  return scene(name, put, look);
};
const deleted = (name: string, retain: string, look: LookOf): Scenario =>
  later(name, { storage: { retain } }, async (space) => await space.remove(agentGroups, group), look);

const asleepForLong: Put = async (space) => {
  await space.wake(group, { wanted: false });
  const status = { phase: "Asleep", pending: 0, lastActiveAt: longAgo };
  await space.patch(sessions, "one", { status }, "status");
  await putGroup(space, { session: { retainFor: "1h" } });
};

/** Events that repeat are written every few minutes: so the operator runs here, by a clock that can be moved. */
async function repeatEvents(space: Space): Promise<Look> {
  const { installation, namespace, stack } = space;
  const clock = new SkippingClock();
  const plane = { kubeconfig: await installation.login("operator") };
  stack.use(new RunningOperator({ plane, namespace, name: "operator-2", lease: installation.release, clock }));
  let epoch = 0;
  return async () => {
    await space.wake("nobody", { epoch: ++epoch });
    if (epoch % 10 === 0) clock.skip(longMs);
    return (await space.page(eventResource)).some(({ series }) => series !== undefined);
  };
}

async function loseNode(space: Space): Promise<void> {
  const { rig } = space.installation;
  const node = `node-${space.namespace}`;
  await rig.admin.create(nodes, { metadata: { name: node } });
  const kubelet = runKubelet(space);
  kubelet.starts = false;
  await space.when(await woken.begin(space));
  const binding = { metadata: { name: pod }, target: { apiVersion: "v1", kind: "Node", name: node } };
  await rig.plane.call("POST", `/api/v1/namespaces/${space.namespace}/pods/${pod}/binding`, binding);
  await kubelet.say(pod, running());
  const times = { lastTransitionTime: longAgo, lastHeartbeatTime: longAgo };
  const conditions = [{ type: "Ready", status: "Unknown", reason: "NodeStatusUnknown", ...times }];
  await rig.admin.mergePatch(nodes, { name: node, subresource: "status" }, { status: { conditions } });
}

const leaseTimes = z.object({ spec: z.object({ acquireTime: z.string(), renewTime: z.string() }) });

/** Whether who leads has renewed its Lease. */
async function isRenewed({ installation: { rig, release } }: Space): Promise<boolean> {
  const lease = await rig.admin.get(leaseResource, { namespace: release, name: operatorName }).catch(() => undefined);
  const times = lease && leaseTimes.parse(lease).spec;
  return times !== undefined && times.renewTime !== times.acquireTime;
}

const children = [volumeClaims, configMaps, serviceAccounts, networkPolicies];
const own = [agentGroups, credentials, sessions, workspaces, pods, nodes];
const forEach = (verb: string, of: readonly Resource[], scenarioOf: (resource: Resource) => Scenario) =>
  Object.fromEntries(of.map((resource) => [`${verb} ${resource.plural}`, scenarioOf(resource)]));

/** By right: what works with it, and not without it. */
export const operatorScenarios: Readonly<Record<string, Scenario>> = {
  ...forEach("list", [...own, ...children], () => woken),
  ...forEach("watch", children, () => woken),
  ...forEach("get", children, (resource) => made(resource)),
  ...forEach("create", children, (resource) => made(resource)),
  "watch agentgroups": made(serviceAccounts),
  "watch credentials": credentialTold,
  "watch sessions": woken,
  "watch workspaces": scene("a workspace gets its volume", putWorkspace, (space) =>
    space.sees(volumeClaims, workspaceObjectName("shared")),
  ),
  "get agentgroups": groupMissing,
  "patch agentgroups/status": scene("an agent group says how it is", putGroup, (space) =>
    space.says(agentGroups, group, "Ready"),
  ),
  "patch credentials/status": credentialTold,
  "patch sessions/status": groupMissing,
  "patch workspaces/status": scene("a workspace says how it is", putWorkspace, (space) =>
    space.says(workspaces, "shared", "Ready"),
  ),
  "patch agentgroups": scene(
    "an agent group with `retain` Delete is held",
    async (space) => await putGroup(space, { storage: { retain: "Delete" } }),
    (space) => space.sees(agentGroups, group, isHeld),
  ),
  "patch workspaces": scene(
    "a workspace with `retain` Delete is held",
    async (space) => await putWorkspace(space, "Delete"),
    (space) => space.sees(workspaces, "shared", isHeld),
  ),
  "update agentgroups/finalizers": made(serviceAccounts, { refused: "create serviceaccounts" }),
  "update sessions/finalizers": { ...wokenAgain, refused: "create pods" },
  "delete sessions": scene("a session that slept for `retainFor` is removed", asleepForLong, (space) =>
    space.isGone(sessions, "one"),
  ),
  "get pods": scene(
    "a session whose pod's name is taken says so",
    async (space) => {
      await space.put(pods, pod, { spec: { containers: [{ name: "main", image: "image" }] } });
      await putWanted(space);
    },
    (space) => space.says(sessions, "one", "Ready", "False Conflict"),
  ),
  "watch pods": { name: "a session whose pod runs is awake", begin: putAwake },
  "create pods": wokenAgain,
  "patch pods": ruled(pods, pod),
  "delete pods": scene(
    "a session that is not wanted any more has no pod",
    async (space) => {
      await space.when(await putAwake(space));
      await space.wake(group, { wanted: false });
    },
    (space) => space.isGone(pods, pod),
  ),
  "create persistentvolumeclaims": made(volumeClaims, {
    again: async (space) => await putGroup(space, { instructions: "Help." }),
  }),
  "patch persistentvolumeclaims": deleted("the volume of an agent group that is gone is marked", "Keep", (space) =>
    space.sees(volumeClaims, object, ({ metadata }) => metadata.labels?.[labels.kept] !== undefined),
  ),
  "delete persistentvolumeclaims": deleted("a volume with `retain` Delete goes with its group", "Delete", (space) =>
    space.isGone(volumeClaims, object),
  ),
  "patch configmaps": ruled(configMaps, object),
  "patch serviceaccounts": later(
    "a ServiceAccount that somebody has changed is set back",
    {},
    async (space) => await space.patch(serviceAccounts, object, { automountServiceAccountToken: true }),
    (space) => space.sees(serviceAccounts, object, (account) => account.automountServiceAccountToken === false),
  ),
  "patch networkpolicies": later(
    "an agent group's sessions reach what it has come to allow",
    {},
    async (space) => await putGroup(space, { network: { allow: [{ cidr: "10.9.0.0/16", ports: [443] }] } }),
    (space) => space.sees(networkPolicies, object, ({ spec }) => JSON.stringify(spec).includes("10.9.0.0/16")),
  ),
  "delete networkpolicies": deleted("the policy of an agent group that is gone goes too", "Keep", (space) =>
    space.isGone(networkPolicies, object),
  ),
  "create events": scene(
    "what is wrong with a session is an Event",
    groupMissing.begin,
    (space) => async () => (await space.page(eventResource)).length > 0,
    { again: async (space) => await space.wake("nobody", { name: "two" }) },
  ),
  "patch events": { name: "what is wrong with a session again and again is one Event", begin: repeatEvents },
  "get secrets": scene(
    "a Credential says that its key is there",
    async (space) => {
      await space.put(secrets, "outside", { stringData: { key: randomUUID() } });
      await putCredential(space);
    },
    (space) => space.says(credentials, "outside", "Ready", "True Ready"),
    { again: async (space) => await putCredential(space, "x-other") },
  ),
  "get leases": made(serviceAccounts),
  "create leases": made(serviceAccounts),
  "patch leases": scene("who leads goes on leading", putGroup, (space) => async () => await isRenewed(space)),
  "watch nodes": scene("a session whose node is lost says so", loseNode, (space) =>
    space.says(sessions, "one", "Ready", "False PodLost"),
  ),
};
