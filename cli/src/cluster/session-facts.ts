import type { MessageRow } from "@copepod/core/admin-api";
import { labels, operatorName, parsePodName } from "@copepod/core/cluster";
import { CopepodError } from "@copepod/core/errors";
import { agentGroupDefinition } from "@copepod/crds/agent-group";
import { sessionDefinition } from "@copepod/crds/session";
import { leaseResource } from "@copepod/kube/lease/lease-record";
import type { KubeObject } from "@copepod/kube/object";
import { textAt, valueAt } from "../output/value-at.ts";
import type {
  ContainerFacts,
  GroupFacts,
  ObjectFacts,
  OperatorFacts,
  PodFacts,
  RowFacts,
  SessionFacts,
} from "./facts.ts";
import { nameOf, pods } from "./kinds.ts";
import { conditionOf, look, resourceOf, type Seen } from "./objects.ts";
import type { Cluster } from "./open-cluster.ts";
import { isReady, podsOf, statuses, whyNot } from "./program-pods.ts";

const maxRows = 500;
const openStates: readonly string[] = ["pending", "leased"];

/** Looks at everything that stands between a session and its next turn, as far as the person may. */
export async function gatherFacts(cluster: Cluster, name: string): Promise<SessionFacts> {
  const { client, namespace } = cluster;
  const asked = await askRouter(cluster, name).catch((error) => {
    if (!(error instanceof CopepodError)) throw error;
    return { routerTrouble: error.message, row: undefined };
  });
  const session = await look(client.get(resourceOf(sessionDefinition), { namespace, name }));
  const group = textAt(session, ".spec.group") ?? asked.row?.group;
  const unknownGroup: Seen<GroupFacts> = session === "forbidden" ? session : "missing";
  const [groupFacts, operator, pod] = await Promise.all([
    group === undefined ? unknownGroup : groupOf(cluster, group),
    operatorOf(cluster),
    podOf(cluster, name),
  ]);
  return {
    name,
    namespace,
    routerTrouble: asked.routerTrouble,
    row: asked.row?.facts,
    session: typeof session === "string" ? session : objectOf(session),
    group: groupFacts,
    operator,
    pod,
  };
}

interface Asked {
  readonly routerTrouble: string | undefined;
  readonly row: { readonly group: string; readonly facts: RowFacts } | undefined;
}

async function askRouter(cluster: Cluster, name: string): Promise<Asked> {
  const { admin, namespace, close } = await cluster.connectRouter();
  try {
    const { items } = await admin.listSessions({ namespace, limit: maxRows });
    const row = items.find((item) => item.name === name);
    if (!row) return { routerTrouble: undefined, row: undefined };
    const { items: messages } = await admin.listMessages({ namespace, session: name, limit: maxRows });
    const { phase, epoch, pending, reason, group } = row;
    return { routerTrouble: undefined, row: { group, facts: { phase, epoch, pending, reason, ...rowsOf(messages) } } };
  } finally {
    await close();
  }
}

function rowsOf(messages: readonly MessageRow[]): Pick<RowFacts, "open" | "dead"> {
  const incoming = messages.filter(({ direction }) => direction === "in");
  const open = incoming.find(({ state }) => openStates.includes(state));
  const last = incoming.find(({ state }) => !openStates.includes(state));
  const isDead = last?.state === "dead";
  return {
    open: open && { state: open.state, attempt: open.attempt, reason: open.reason },
    dead: isDead ? `${last.id}: ${last.code}: ${last.reason ?? "no reason is known"}` : undefined,
  };
}

function objectOf(session: KubeObject): ObjectFacts {
  const ready = conditionOf(session, "Ready");
  return {
    suspended: valueAt(session, ".spec.suspended") === true,
    wanted: valueAt(session, ".spec.wake.wanted") === true,
    wantedEpoch: Number(valueAt(session, ".spec.wake.epoch") ?? 0),
    phase: textAt(session, ".status.phase") ?? "Asleep",
    epoch: Number(valueAt(session, ".status.epoch") ?? 0),
    notReady: ready?.status === "False" ? { reason: String(ready.reason), message: String(ready.message) } : undefined,
  };
}

async function groupOf({ client, namespace }: Cluster, name: string): Promise<Seen<GroupFacts>> {
  const group = await look(client.get(resourceOf(agentGroupDefinition), { namespace, name }));
  if (typeof group === "string") return group;
  const ready = conditionOf(group, "Ready");
  const isBad = ready?.status === "False" && ready.reason !== "Suspended";
  return {
    suspended: valueAt(group, ".spec.suspended") === true,
    trouble: isBad ? String(ready.message) : undefined,
  };
}

async function operatorOf({ client, clock, systemNamespace: namespace }: Cluster): Promise<OperatorFacts> {
  const found = await look(podsOf(client, namespace, "operator"));
  const lease = await look(client.get(leaseResource, { namespace, name: operatorName }));
  const renewedAt = Date.parse(textAt(lease, ".spec.renewTime") ?? "");
  const age = Number.isNaN(renewedAt) ? "missing" : Math.max(0, clock.now() - renewedAt);
  const isBad = typeof found === "object" && !found.some(isReady);
  return {
    trouble: isBad ? troubleOf(found[0], namespace) : undefined,
    leaseAgeMs: lease === "forbidden" ? lease : age,
  };
}

const troubleOf = (pod: KubeObject | undefined, namespace: string): string =>
  pod ? whyNot(pod) : `the namespace "${namespace}" has no pod of it`;

async function podOf({ client, namespace }: Cluster, session: string): Promise<Seen<PodFacts>> {
  const found = await look(client.page(pods, { namespace, labelSelector: `${labels.session}=${session}` }));
  if (typeof found === "string") return found;
  const [pod] = found.items.toSorted((one, other) => (epochOf(other) ?? 0) - (epochOf(one) ?? 0));
  if (!pod) return "missing";
  const scheduled = conditionOf(pod, "PodScheduled");
  return {
    name: nameOf(pod),
    epoch: epochOf(pod),
    phase: textAt(pod, ".status.phase") ?? "Pending",
    isEnding: pod.metadata.deletionTimestamp !== undefined,
    unscheduled: scheduled?.status === "False" ? String(scheduled.message ?? scheduled.reason) : undefined,
    containers: statuses(pod).map(containerOf),
  };
}

const epochOf = (pod: KubeObject): number | undefined => parsePodName(nameOf(pod))?.epoch;

function containerOf(status: unknown): ContainerFacts {
  const state = valueAt(status, ".state.waiting") ?? valueAt(status, ".state.terminated");
  const words = [textAt(state, ".reason"), textAt(state, ".message")].filter((word) => word !== undefined);
  return {
    name: textAt(status, ".name") ?? "",
    isReady: valueAt(status, ".ready") === true,
    restarts: Number(valueAt(status, ".restartCount") ?? 0),
    waiting: state === undefined ? undefined : words.join(": ") || "it gives no reason",
  };
}
