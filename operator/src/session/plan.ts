import { annotations, groupObjectName, workspaceObjectName } from "@copepod/core/cluster";
import { CopepodError } from "@copepod/core/errors";
import type { AgentGroup } from "@copepod/crds/agent-group";
import { isControlledBy } from "@copepod/kube/controller/owners";
import { isNotFound } from "@copepod/kube/errors";
import { isRecord, type KubeObject, keyOf } from "@copepod/kube/object";
import { isPolicyOf } from "../group/group-children.ts";
import { judgeMounts } from "../group/mounts.ts";
import type { Parts } from "../parts.ts";
import { agentGroups } from "../resources.ts";
import type { Seen } from "../seen.ts";
import { conditionOf } from "../status/status.ts";
import type { Outlook } from "./decide.ts";
import type { Trouble } from "./facts.ts";
import { newGroupMs } from "./limits.ts";
import { sharedNodeOf } from "./neighbours.ts";
import { type PodPlan, podFor, templateHash } from "./pod.ts";
import { assertSafePod } from "./safe-pod.ts";
import { keysOf } from "./volumes.ts";

type NoPod = Exclude<Outlook, { readonly kind: "possible" }>;

export type Planned =
  | { readonly outlook: Extract<Outlook, { readonly kind: "possible" }>; readonly plan: PodPlan }
  | { readonly outlook: NoPod; readonly plan?: undefined };

type Looking = Pick<Parts, "caches" | "settings" | "clock">;

/** From what a session's pod would be made now, as far as the caches know. */
export function planPod(parts: Looking, session: Seen<unknown>, seenGroup: Seen<AgentGroup>): Planned {
  const group = seenGroup.resource;
  if (!group) {
    return refused("GroupInvalid", `The AgentGroup can't be read: ${seenGroup.problem}. Mend it.`);
  }
  if (seenGroup.metadata.deletionTimestamp !== undefined) {
    return refused("GroupMissing", `The AgentGroup ${group.metadata.name} is being deleted.`);
  }
  const trouble = wishTrouble(parts, group);
  if (trouble) return refused(trouble.reason, trouble.message);
  const missing =
    workspaceTrouble(parts, group) ?? volumeTrouble(parts, seenGroup, group) ?? objectTrouble(parts, seenGroup);
  if (missing) return { outlook: missing };
  const plan = planOf(parts, session, group);
  try {
    assertSafePod(podFor(plan, { epoch: 1, placeholder: "" }), parts.settings.session.allowedMetadata);
  } catch (error) {
    if (error instanceof CopepodError) return refused("PodRefused", error.message);
    throw error;
  }
  return { outlook: { kind: "possible", template: templateHash(plan), rules: plan.rules }, plan };
}

/** The cache may be a little behind the router's: so the API server has the word. */
export async function whyNoGroup(
  { client }: Pick<Parts, "client">,
  place: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<Planned> {
  try {
    await client.get(agentGroups, place, { signal });
    return { outlook: { kind: "soon" } };
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return refused("GroupMissing", `There is no AgentGroup ${place.name}; apply it.`);
  }
}

const refused = (reason: string, message: string): Planned => ({ outlook: { kind: "refused", reason, message } });

function planOf({ caches, settings }: Looking, session: Seen<unknown>, group: AgentGroup): PodPlan {
  const { namespace, name } = group.metadata;
  const resourceOf = <T>({ resource }: Seen<T>): T[] => (resource === undefined ? [] : [resource]);
  const inNamespace = ({ metadata }: Seen<unknown>): boolean => metadata.namespace === namespace;
  const workspaces = [...caches.workspaces.values()].filter(inNamespace).flatMap(resourceOf);
  const own = keyOf({ namespace, name: groupObjectName(name) });
  return {
    session,
    group,
    settings,
    account: caches.serviceAccounts.get(own)?.metadata.uid ?? "",
    agentImage: imageOf(settings, group) ?? "",
    volumes: {
      keys: keysOf(
        group.spec.credentials.flatMap((credential) => {
          const seen = caches.credentials.get(keyOf({ namespace, name: credential }));
          return seen ? resourceOf(seen) : [];
        }),
      ),
    },
    sharesNode: sharedNodeOf(
      group,
      [...caches.groups.values()].filter(inNamespace).flatMap(resourceOf),
      new Map(workspaces.map((one) => [one.metadata.name, one])),
    ),
    rules: caches.configMaps.get(own)?.metadata.annotations?.[annotations.rules] ?? "",
  };
}

const imageOf = ({ images }: Parts["settings"], { spec: { agent } }: AgentGroup): string | undefined =>
  agent.image ?? (Object.hasOwn(images.agents, agent.provider) ? images.agents[agent.provider] : undefined);

/** What people have to mend. */
function wishTrouble({ settings }: Pick<Looking, "settings">, group: AgentGroup): Trouble | undefined {
  const { agent, mounts } = group.spec;
  const { namespace } = group.metadata;
  if (imageOf(settings, group) === undefined) {
    const message = `The installation has no image for the provider ${agent.provider}; set agent.image of the AgentGroup.`;
    return { reason: "ProviderUnknown", message };
  }
  const [mount] = judgeMounts(settings.mountPolicy, namespace, mounts);
  return mount === undefined ? undefined : { reason: "MountRefused", message: mount };
}

/** It goes on with the Workspace, which somebody may apply together with the group. */
function workspaceTrouble({ caches }: Pick<Looking, "caches">, { metadata, spec }: AgentGroup): NoPod | undefined {
  const { namespace } = metadata;
  const workspace = spec.teamWorkspaces.find(({ name }) => !caches.workspaces.get(keyOf({ namespace, name })));
  if (!workspace) return undefined;
  const message = `There is no Workspace ${workspace.name}; apply it, or take it out of teamWorkspaces.`;
  return { kind: "later", reason: "WorkspaceMissing", message };
}

function volumeTrouble({ caches }: Looking, seen: Seen<AgentGroup>, { metadata, spec }: AgentGroup): NoPod | undefined {
  const { namespace } = metadata;
  const own = groupObjectName(metadata.name);
  const condition = conditionOf(seen, "VolumeReady");
  for (const name of [own, ...spec.teamWorkspaces.map((one) => workspaceObjectName(one.name))]) {
    const claim = caches.volumeClaims.get(keyOf({ namespace, name }));
    const why = claim && claimTrouble(claim);
    if (why) return { kind: "refused", reason: "VolumeMissing", message: `The volume claim ${name} ${why}` };
    if (claim || name !== own || condition?.status !== "False") continue;
    return { kind: "refused", reason: "VolumeMissing", message: condition.message };
  }
  return undefined;
}

function claimTrouble({ metadata, status }: KubeObject): string | undefined {
  if (metadata.deletionTimestamp !== undefined) return "is being deleted.";
  const isLost = isRecord(status) && status.phase === "Lost";
  return isLost ? "has lost its volume; restore it." : undefined;
}

/** The group's controller makes them, a moment after the group. */
function objectTrouble({ caches, clock }: Looking, group: Seen<AgentGroup>): NoPod | undefined {
  const { metadata, resource } = group;
  const { namespace, name = "", creationTimestamp = "" } = metadata;
  const key = keyOf({ namespace, name: groupObjectName(name) });
  const claims = (resource?.spec.teamWorkspaces ?? []).map((one) =>
    keyOf({ namespace, name: workspaceObjectName(one.name) }),
  );
  // Without its own policy a pod would reach the whole cluster. It has no owner: see `isPolicyOf`.
  const policy = caches.networkPolicies.get(key);
  const isClosed = policy !== undefined && isPolicyOf(name)(policy);
  // Those of a group of the same name that was deleted are still there for a moment: a pod that mounts them waits for long.
  const children = [caches.serviceAccounts.get(key), caches.configMaps.get(key)];
  const areThere =
    isClosed &&
    [key, ...claims].every((claim) => caches.volumeClaims.get(claim)) &&
    children.every((child) => child !== undefined && isControlledBy(child, group));
  if (areThere) return undefined;
  if (clock.now() - Date.parse(creationTimestamp) < newGroupMs) return { kind: "soon" };
  const message =
    "Network policy, service account, volumes or rules of the agent group are not there; see its conditions.";
  return { kind: "later", reason: "GroupNotReady", message };
}
