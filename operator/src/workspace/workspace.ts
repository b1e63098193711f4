import { labels, workspaceObjectName } from "@copepod/core/cluster";
import type { AgentGroup } from "@copepod/crds/agent-group";
import { maxUsersListed, type Workspace } from "@copepod/crds/workspace";
import { Controller, type ReconcileResult } from "@copepod/kube/controller/controller";
import { ownKey } from "@copepod/kube/controller/owners";
import { isMoreThanStatus, type Source, sourceOf } from "@copepod/kube/controller/sources";
import { type HasMetadata, keyOf, parseKey } from "@copepod/kube/object";
import { groupsThat } from "../group/gather.ts";
import type { Caches, LeaderParts } from "../parts.ts";
import { workspaces } from "../resources.ts";
import type { Seen } from "../seen.ts";
import { summary } from "../status/status.ts";
import { conflictCheckMs, earliest, StatusWriter } from "../status/status-writer.ts";
import type { VolumePlace } from "../volume/claim.ts";
import { Volumes } from "../volume/volumes.ts";

/** Keeps the volumes that agent groups share. */
export function makeWorkspaceController(parts: LeaderParts): Controller {
  const { caches, clock, random, log, observerOf } = parts;
  const name = "workspace";
  const keeper = { parts, volumes: new Volumes(parts), status: new StatusWriter(parts, workspaces) };
  const sources = workspaceSources(caches);
  return new Controller({
    ...{ name, clock, random, log, sources, observer: observerOf(name) },
    reconcile: (key, signal) => reconcile(keeper, key, signal),
  });
}

interface Keeper {
  readonly parts: LeaderParts;
  readonly volumes: Volumes;
  readonly status: StatusWriter;
}

async function reconcile(keeper: Keeper, key: string, signal: AbortSignal): Promise<ReconcileResult | undefined> {
  const { parts, volumes, status } = keeper;
  const seen = parts.caches.workspaces.get(key);
  const place = volumePlace(key);
  if (!seen) {
    status.forget(key);
    await volumes.orphan(place, signal);
    return undefined;
  }
  if (seen.metadata.deletionTimestamp !== undefined) {
    // The API server keeps a claim until the last pod that has it is gone.
    const retain = seen.resource?.spec.retain ?? "Keep";
    await volumes.release({ resource: workspaces, seen, place }, { retain, isFree: true }, signal);
    return undefined;
  }
  if (!seen.resource) return await status.writeInvalid(key, seen, signal);
  return await keep(keeper, { ...seen, resource: seen.resource }, signal);
}

async function keep(
  { parts: { caches }, volumes, status }: Keeper,
  seen: Seen<Workspace> & { readonly resource: Workspace },
  signal: AbortSignal,
): Promise<ReconcileResult | undefined> {
  const { metadata, spec } = seen.resource;
  const key = keyOf(metadata);
  const wish = { ...volumePlace(key), owner: `Workspace ${metadata.name}`, storage: spec };
  const owner = { resource: workspaces, seen, wish };
  if (await volumes.prepare(owner, signal)) return undefined;
  const { verdict, ...volume } = await volumes.keep(owner, signal);
  const ready = summary([verdict], { reason: "Ready", message: "Agent groups can mount the workspace." });
  const written = await status.write(
    key,
    seen,
    { verdicts: [ready, verdict], fields: { usedBy: usersOf(seen, caches) } },
    signal,
  );
  return earliest([written, volume, verdict.reason === "Conflict" ? { requeueAfterMs: conflictCheckMs } : undefined]);
}

function workspaceSources(caches: Caches): readonly Source[] {
  return [
    sourceOf(caches.workspaces, { keysOf: ownKey, when: isMoreThanStatus }),
    sourceOf(caches.volumeClaims, { keysOf: ofLabel }),
    sourceOf(caches.groups, { keysOf: ofGroup, when: isMoreThanStatus }),
  ];
}

function ofLabel({ metadata: { namespace, labels: has } }: HasMetadata): string[] {
  const name = has?.[labels.workspace];
  return name === undefined ? [] : [keyOf({ namespace, name })];
}

const ofGroup = ({ metadata: { namespace }, resource }: Seen<AgentGroup>): string[] =>
  resource?.spec.teamWorkspaces.map(({ name }) => keyOf({ namespace, name })) ?? [];

const usersOf = ({ metadata: { namespace, name } }: Seen<Workspace>, caches: Caches): string[] =>
  groupsThat(caches, namespace, ({ teamWorkspaces }) => teamWorkspaces.some((one) => one.name === name)).slice(
    0,
    maxUsersListed,
  );

function volumePlace(key: string): VolumePlace {
  const { namespace = "", name } = parseKey(key);
  return { namespace, name: workspaceObjectName(name), mark: [labels.workspace, name] };
}
