import { annotations, volumeFinalizer } from "@copepod/core/cluster";
import { addFinalizer, removeFinalizer } from "@copepod/kube/controller/finalizers";
import { ApiError } from "@copepod/kube/errors";
import type { Patch } from "@copepod/kube/lease/fence";
import { keyOf, type Resource } from "@copepod/kube/object";
import { applySteps, type Found, findChild } from "../children.ts";
import type { LeaderParts } from "../parts.ts";
import { volumeClaims } from "../resources.ts";
import type { Seen } from "../seen.ts";
import { conditionOf, type Verdict } from "../status/status.ts";
import { decideClaim, isClaimOf, keptStep, type VolumePlace, type VolumeWish } from "./claim.ts";

/** What the API server has refused (a quota, a class that can't grow) is tried again after this time, or for a changed spec. */
const refusedRetryMs = 5 * 60_000;

/** A resource that has a volume. */
export interface VolumeOwner {
  readonly resource: Resource;
  readonly seen: Seen<unknown>;
  readonly wish: VolumeWish;
}

interface Refusal {
  readonly generation: number | undefined;
  readonly message: string;
  /** Monotonic ms. */
  readonly at: number;
}

/** Keeps the claims of agent groups, or those of workspaces. */
export class Volumes {
  readonly #parts: LeaderParts;
  readonly #refusals = new Map<string, Refusal>();

  constructor(parts: LeaderParts) {
    this.#parts = parts;
  }

  /**
   * What has to be written to the resource itself before anything else: its finalizer, or that a wish was done.
   * @returns true when it was written: the change brings the resource back
   */
  async prepare(owner: VolumeOwner, signal: AbortSignal): Promise<boolean> {
    const patch = ownerPatch(owner, this.#parts.caches.volumeClaims.get(keyOf(owner.wish)) !== undefined);
    if (!patch) return false;
    await this.#parts.fence.mergePatch(owner.resource, owner.seen, patch, { signal });
    return true;
  }

  /** Makes the claim as it should be, as far as a claim can change. */
  async keep(owner: VolumeOwner, signal: AbortSignal): Promise<{ verdict: Verdict; requeueAfterMs?: number }> {
    const { seen, wish } = owner;
    const found = await this.#find(wish, signal);
    const refusal = this.#refusalOf(owner);
    const { steps, verdict } = decideClaim(wish, {
      found,
      before: conditionOf(seen, "VolumeReady"),
      mayBeNew: seen.metadata.annotations?.[annotations.newVolume] === "true",
      refusal: refusal?.message,
    });
    try {
      await applySteps(steps, this.#parts, signal);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#refuse(owner, error.message);
      return await this.keep(owner, signal);
    }
    return { verdict, ...(refusal && { requeueAfterMs: refusedRetryMs }) };
  }

  /** For a resource that is being deleted. @param given `isFree`: no pod of it is left */
  async release(
    { resource, seen, place }: Pick<VolumeOwner, "resource" | "seen"> & { readonly place: VolumePlace },
    given: { readonly retain: "Keep" | "Delete"; readonly isFree: boolean },
    signal: AbortSignal,
  ): Promise<void> {
    const patch = removeFinalizer(seen, volumeFinalizer);
    if (!patch) return;
    const found: Found = given.retain === "Keep" ? { kind: "missing" } : await this.#find(place, signal);
    if (found.kind === "own") {
      if (!given.isFree || found.object.metadata.deletionTimestamp !== undefined) return;
      await this.#parts.fence.delete(volumeClaims, found.object, { signal });
      return;
    }
    await this.#parts.fence.mergePatch(resource, seen, { metadata: { ...patch.metadata } }, { signal });
  }

  /** For a resource that is gone: its claim says whose it was, and since when it is nobody's. */
  async orphan(place: VolumePlace, signal: AbortSignal): Promise<void> {
    const { caches, clock, events } = this.#parts;
    this.#refusals.delete(keyOf(place));
    const claim = caches.volumeClaims.get(keyOf(place));
    if (!claim || !isClaimOf(place.mark)(claim)) return;
    const step = keptStep(claim, new Date(clock.now()).toISOString());
    if (!step) return;
    await applySteps([step], this.#parts, signal);
    const note = `${place.mark[1]} was deleted; its files are kept here. Delete this claim to delete them.`;
    events.record({ regarding: claim, type: "Normal", reason: "VolumeKept", action: "Keep", note });
  }

  async #find({ namespace, name, mark }: VolumePlace, signal: AbortSignal): Promise<Found> {
    const cached = this.#parts.caches.volumeClaims.get(keyOf({ namespace, name }));
    return await findChild(this.#parts, volumeClaims, {
      ...{ cached, place: { namespace, name }, isOwn: isClaimOf(mark), signal },
    });
  }

  #refusalOf({ wish, seen }: VolumeOwner): Refusal | undefined {
    const refusal = this.#refusals.get(keyOf(wish));
    const isOld = refusal && this.#parts.clock.monotonic() - refusal.at >= refusedRetryMs;
    return isOld || refusal?.generation !== seen.metadata.generation ? undefined : refusal;
  }

  #refuse({ wish, seen: { metadata } }: VolumeOwner, message: string): void {
    const at = this.#parts.clock.monotonic();
    this.#refusals.set(keyOf(wish), { generation: metadata.generation, message, at });
  }
}

/** A no that looking again does not cure. */
const isRefusal = (error: unknown): error is ApiError =>
  error instanceof ApiError && (error.status === 403 || error.status === 422);

function ownerPatch({ seen, wish }: VolumeOwner, hasClaim: boolean): Patch | undefined {
  const isDone = hasClaim && seen.metadata.annotations?.[annotations.newVolume] !== undefined;
  const change = wish.storage.retain === "Delete" ? addFinalizer : removeFinalizer;
  const patch = change(seen, volumeFinalizer);
  if (!patch && !isDone) return undefined;
  const done = isDone ? { annotations: { [annotations.newVolume]: null } } : {};
  return { metadata: { ...patch?.metadata, ...done } };
}
