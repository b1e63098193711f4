import { isDeepStrictEqual } from "node:util";
import type { Condition } from "@copepod/kube/controller/conditions";
import type { ReconcileResult } from "@copepod/kube/controller/controller";
import type { Resource } from "@copepod/kube/object";
import type { LeaderParts } from "../parts.ts";
import type { Seen } from "../seen.ts";
import { conditionsOf, nextConditions, statusPatch, type Verdict } from "./status.ts";

/** Least time between two writes of one status, and between two for the sake of figures alone. */
const statusIntervalMs = 1_000;
const figuresIntervalMs = 60_000;

/** Somebody else's object that has a name of ours is in no cache: whether it is gone is looked at after this time. */
export const conflictCheckMs = 30_000;

export interface StatusWish {
  readonly verdicts: readonly Verdict[];
  /** The rest of the status. */
  readonly fields?: object;
}

/** Writes the statuses of one kind: only what differs, no faster than anybody reads, with an Event for what went wrong. */
export class StatusWriter {
  readonly #parts: LeaderParts;
  readonly #resource: Resource;
  /** Monotonic ms of the last write, by key. */
  readonly #writtenAt = new Map<string, number>();

  constructor(parts: LeaderParts, resource: Resource) {
    this.#parts = parts;
    this.#resource = resource;
  }

  /** @returns when to come back, if it is too early */
  async write(
    key: string,
    seen: Seen<unknown>,
    { verdicts, fields }: StatusWish,
    signal: AbortSignal,
  ): Promise<ReconcileResult | undefined> {
    const { clock, fence } = this.#parts;
    const conditions = nextConditions(seen, verdicts, clock.now());
    const patch = statusPatch(seen, { ...fields, conditions });
    if (!patch) return undefined;
    const intervalMs = isDeepStrictEqual(conditions, conditionsOf(seen)) ? figuresIntervalMs : statusIntervalMs;
    const waitedMs = clock.monotonic() - (this.#writtenAt.get(key) ?? Number.NEGATIVE_INFINITY);
    if (waitedMs < intervalMs) return { requeueAfterMs: intervalMs - waitedMs };
    await fence.mergePatch(this.#resource, seen, patch, { subresource: "status", signal });
    this.#writtenAt.set(key, clock.monotonic());
    this.#tell(seen, conditions);
    return undefined;
  }

  /** Of a resource that can't be read, perhaps one of a later version: all else that was said of it stays. */
  async writeInvalid(key: string, seen: Seen<unknown>, signal: AbortSignal): Promise<ReconcileResult | undefined> {
    const message = `This can't be read: ${seen.problem}; correct it, or upgrade the operator.`;
    const before = conditionsOf(seen).filter(({ type }) => type !== "Ready");
    const verdicts: Verdict[] = [{ type: "Ready", status: "False", reason: "Invalid", message }, ...before];
    return await this.write(key, seen, { verdicts }, signal);
  }

  forget(key: string): void {
    this.#writtenAt.delete(key);
  }

  #tell(seen: Seen<unknown>, conditions: readonly Condition[]): void {
    const before = conditionsOf(seen);
    const wasWrong = (type: string) => before.some((one) => one.type === type && one.status === "False");
    for (const { type, status, reason, message } of conditions) {
      if (status !== "False" || wasWrong(type) || reason === "Suspended") continue;
      // Ready repeats what another says.
      if (type === "Ready" && conditions.some((one) => one.type !== type && one.reason === reason)) continue;
      this.#parts.events.record({ regarding: seen, type: "Warning", reason, action: "Reconcile", note: message });
    }
  }
}

/** The result that comes back first. */
export function earliest(results: readonly (ReconcileResult | undefined)[]): ReconcileResult | undefined {
  const times = results.flatMap((result) => result?.requeueAfterMs ?? []);
  return times.length === 0 ? undefined : { requeueAfterMs: Math.min(...times) };
}
