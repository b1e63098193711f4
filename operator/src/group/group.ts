import { groupObjectName, labels } from "@copepod/core/cluster";
import type { AgentGroup } from "@copepod/crds/agent-group";
import { Controller, type ReconcileResult } from "@copepod/kube/controller/controller";
import { keyOf, parseKey } from "@copepod/kube/object";
import { applySteps, type Child, type Found, findChild, nameOf, stepsFor } from "../children.ts";
import type { LeaderParts } from "../parts.ts";
import { agentGroups, networkPolicies } from "../resources.ts";
import type { Seen } from "../seen.ts";
import { conflictCheckMs, earliest, StatusWriter } from "../status/status-writer.ts";
import type { VolumePlace } from "../volume/claim.ts";
import { type VolumeOwner, Volumes } from "../volume/volumes.ts";
import { countSessions, findForeignPolicies, gatherNamed } from "./gather.ts";
import { groupChildren, isPolicyOf } from "./group-children.ts";
import { Hosts, type Lookup, resolveEveryMs } from "./hosts.ts";
import { judgeGroup } from "./judge.ts";
import { judgeMounts } from "./mounts.ts";
import { groupSources } from "./sources.ts";

/** Keeps what an agent group has in the cluster: volume, service account, rules, network policy, status. */
export function makeGroupController(parts: LeaderParts, lookup: Lookup): Controller {
  const { caches, clock, random, log, observerOf } = parts;
  const name = "agentgroup";
  const hosts = new Hosts(lookup, clock);
  const groups = new Groups(parts, hosts);
  return new Controller({
    ...{ name, clock, random, log, observer: observerOf(name) },
    sources: [...groupSources(caches), hosts.source],
    reconcile: (key, signal) => groups.reconcile(key, signal),
  });
}

type Live = Seen<AgentGroup> & { readonly resource: AgentGroup };

class Groups {
  readonly #parts: LeaderParts;
  readonly #volumes: Volumes;
  readonly #hosts: Hosts;
  readonly #status: StatusWriter;

  constructor(parts: LeaderParts, hosts: Hosts) {
    this.#parts = parts;
    this.#volumes = new Volumes(parts);
    this.#hosts = hosts;
    this.#status = new StatusWriter(parts, agentGroups);
  }

  async reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult | undefined> {
    const group = this.#parts.caches.groups.get(key);
    if (!group) return await this.#bury(key, signal);
    if (group.metadata.deletionTimestamp !== undefined) return await this.#release(group, key, signal);
    if (!isReadable(group)) return await this.#status.writeInvalid(key, group, signal);
    if (await this.#volumes.prepare(volumeOwner(group), signal)) return undefined;
    return await this.#keep(group, key, signal);
  }

  async #keep(group: Live, key: string, signal: AbortSignal): Promise<ReconcileResult | undefined> {
    const named = gatherNamed(group.resource, this.#parts);
    const hosts = named.upstreams.flatMap((upstream) => (upstream.kind === "name" ? [upstream.host] : []));
    const { addresses, unresolved } = this.#hosts.addressesOf(key, hosts);
    const { network, router, mountPolicy } = this.#parts.settings;
    const { spec, metadata } = group.resource;
    const egress = { network, router, allow: spec.network.allow, upstreams: named.upstreams, addresses };
    const children = await this.#find(group, { egress, rules: named.rendered.rules }, signal);
    await applySteps(children.flatMap(stepsFor), this.#parts, signal);
    const volume = await this.#volumes.keep(volumeOwner(group), signal);
    const namesThatAre = (kind: Found["kind"]) => children.filter(({ found }) => found.kind === kind).map(nameOf);
    const foreign = namesThatAre("foreign");
    const verdicts = judgeGroup({
      ...{ spec, foreign, old: namesThatAre("old"), volume: volume.verdict, unresolved, ...named },
      refusedMounts: judgeMounts(mountPolicy, metadata.namespace, spec.mounts),
      foreignPolicies: findForeignPolicies(group.resource, this.#parts),
    });
    const written = await this.#status.write(key, group, { verdicts, fields: countSessions(key, this.#parts) }, signal);
    const isTaken = foreign.length > 0 || volume.verdict.reason === "Conflict";
    return earliest([
      written,
      volume,
      hosts.length > 0 ? { requeueAfterMs: resolveEveryMs } : undefined,
      isTaken ? { requeueAfterMs: conflictCheckMs } : undefined,
    ]);
  }

  async #find(group: Live, wish: Parameters<typeof groupChildren>[1], signal: AbortSignal): Promise<Child[]> {
    const { namespace, name } = group.resource.metadata;
    const place = { namespace, name: groupObjectName(name) };
    const finding = groupChildren(group, wish).map(async ({ cache, resource, wanted, isOwn }) => {
      const cached = this.#parts.caches[cache].get(keyOf(place));
      return { resource, wanted, found: await findChild(this.#parts, resource, { cached, place, isOwn, signal }) };
    });
    return await Promise.all(finding);
  }

  /** A group that is being deleted, and whose volume may have to go first. */
  async #release(group: Seen<AgentGroup>, key: string, signal: AbortSignal): Promise<undefined> {
    const { namespace = "", name } = parseKey(key);
    const owner = { resource: agentGroups, seen: group, place: volumePlace(namespace, name) };
    const retain = group.resource?.spec.storage.retain ?? "Keep";
    await this.#volumes.release(owner, { retain, isFree: !this.#hasPods(key) }, signal);
  }

  /** What a group leaves behind that no owner reference removes: the policy stays until its last pod is gone. */
  async #bury(key: string, signal: AbortSignal): Promise<undefined> {
    const { namespace = "", name } = parseKey(key);
    this.#status.forget(key);
    this.#hosts.forget(key);
    await this.#volumes.orphan(volumePlace(namespace, name), signal);
    const policy = this.#parts.caches.networkPolicies.get(keyOf({ namespace, name: groupObjectName(name) }));
    if (!policy || !isPolicyOf(name)(policy) || this.#hasPods(key)) return;
    // One made anew in this moment may have a pod that is safe only because of this policy.
    const looked = { cached: undefined, place: { namespace, name }, isOwn: () => true, signal };
    if ((await findChild(this.#parts, agentGroups, looked)).kind !== "missing") return;
    await this.#parts.fence.delete(networkPolicies, policy, { signal });
  }

  #hasPods(key: string): boolean {
    return this.#parts.caches.pods.byIndex("group", key).length > 0;
  }
}

const isReadable = (group: Seen<AgentGroup>): group is Live => group.resource !== undefined;

const volumePlace = (namespace: string, name: string): VolumePlace => ({
  ...{ namespace, name: groupObjectName(name), mark: [labels.group, name] },
});

function volumeOwner(group: Live): VolumeOwner {
  const { metadata, spec } = group.resource;
  const wish = { ...volumePlace(metadata.namespace, metadata.name), owner: `AgentGroup ${metadata.name}` };
  return { resource: agentGroups, seen: group, wish: { ...wish, storage: spec.storage } };
}
