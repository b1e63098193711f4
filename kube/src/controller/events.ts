import type { KubeClient } from "../client/client.ts";
import { type Clock, microTime } from "../clock.ts";
import { isNotFound } from "../errors.ts";
import type { Log } from "../log.ts";
import type { KubeObject, Resource } from "../object.ts";

export const eventResource: Resource = {
  group: "events.k8s.io",
  version: "v1",
  kind: "Event",
  plural: "events",
  namespaced: true,
};

/** Something worth showing in `kubectl describe`. No secret may be in it. */
export interface Happening {
  readonly regarding: KubeObject;
  readonly type: "Normal" | "Warning";
  /** Why, in CamelCase, for programs; at most 128 bytes. */
  readonly reason: string;
  /** What was done or refused, in CamelCase; at most 128 bytes. */
  readonly action: string;
  /** For people. What is longer than 1,024 bytes is cut. */
  readonly note: string;
}

export interface EventOptions {
  readonly client: Pick<KubeClient, "create" | "mergePatch">;
  /** Such as `example.dev/operator`. */
  readonly controller: string;
  /** Such as the pod's name; at most 128 bytes. */
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Different each time; lower-case letters and digits. */
  readonly newId: () => string;
}

/** One write per event and this time, at most. */
export const eventIntervalMs = 5 * 60_000;
/** Events that are kept apart; more than these in one interval are dropped, and counted in the log. */
export const maxOpenEvents = 1_000;
const maxNoteBytes = 1_024;
/** An event's name is that of its object, cut to leave room for the id. */
const maxNameStart = 200;
const writeTimeoutMs = 10_000;
/** More at once would only make other calls of the client wait. */
const parallelWrites = 4;

interface OpenEvent {
  /** Undefined until the API server has it. */
  written: KubeObject | undefined;
  readonly happening: Happening;
  count: number;
  countWritten: number;
  lastAt: number;
  /** Monotonic ms. */
  writtenAt: number;
}

/**
 * Writes Events, once for what repeats: the same object, reason, type and action make one Event, whose `series` says how
 * often and when last. The first note stays. Events are best effort: nothing here throws, waits or tries again.
 */
export class EventRecorder {
  readonly #options: EventOptions;
  readonly #open = new Map<string, OpenEvent>();
  readonly #waiting: OpenEvent[] = [];
  readonly #writes = new Set<Promise<void>>();
  #cancelRound: (() => void) | undefined;
  #dropped = 0;
  #isClosed = false;

  constructor(options: EventOptions) {
    this.#options = options;
  }

  record(happening: Happening): void {
    if (this.#isClosed) return;
    const { regarding, type, reason, action } = happening;
    const { uid, namespace, name } = regarding.metadata;
    const key = JSON.stringify([uid, regarding.kind, namespace, name, reason, type, action]);
    const { clock } = this.#options;
    const open = this.#open.get(key);
    if (open) {
      open.count += 1;
      open.lastAt = clock.now();
    } else if (this.#open.size >= maxOpenEvents) {
      this.#dropped += 1;
    } else {
      const lastAt = clock.now();
      const event = { happening, written: undefined, count: 1, countWritten: 1, lastAt, writtenAt: clock.monotonic() };
      this.#open.set(key, event);
      this.#write(event);
    }
    this.#cancelRound ??= clock.after(eventIntervalMs, () => this.#round());
  }

  /** Takes no more, and writes what waits, for as long as one write may take. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRound?.();
    const giveUp = this.#options.clock.after(writeTimeoutMs, () => this.#waiting.splice(0));
    while (this.#writes.size > 0) await Promise.all(this.#writes);
    giveUp();
  }

  /** Writes what has repeated, and forgets what has not. */
  #round(): void {
    const { clock, log } = this.#options;
    for (const [key, event] of this.#open) {
      if (clock.monotonic() - event.writtenAt < eventIntervalMs) continue;
      if (event.count === event.countWritten) this.#open.delete(key);
      else this.#write(event);
    }
    if (this.#dropped > 0) log.warn({ dropped: this.#dropped }, "more events at once than are written");
    this.#dropped = 0;
    this.#cancelRound = this.#open.size === 0 ? undefined : clock.after(eventIntervalMs, () => this.#round());
  }

  #write(event: OpenEvent): void {
    event.writtenAt = this.#options.clock.monotonic();
    this.#waiting.push(event);
    this.#writeNext();
  }

  #writeNext(): void {
    if (this.#writes.size >= parallelWrites) return;
    const event = this.#waiting.shift();
    if (!event) return;
    event.countWritten = event.count;
    const write = this.#send(event)
      .catch((err: unknown) =>
        this.#options.log.warn({ err, reason: event.happening.reason }, "an event was not written"),
      )
      .finally(() => {
        this.#writes.delete(write);
        this.#writeNext();
      });
    this.#writes.add(write);
  }

  async #send(event: OpenEvent): Promise<void> {
    const { client } = this.#options;
    const { name, namespace } = event.written?.metadata ?? {};
    const call = { timeoutMs: writeTimeoutMs };
    if (name !== undefined && namespace !== undefined) {
      const patched = await client
        .mergePatch(eventResource, { name, namespace }, { series: seriesOf(event) }, call)
        .then(
          () => true,
          // The API server removes Events after an hour.
          (error: unknown) => (isNotFound(error) ? false : Promise.reject(error)),
        );
      if (patched) return;
    }
    event.written = await client.create(eventResource, this.#objectOf(event), call);
  }

  #objectOf(event: OpenEvent): KubeObject {
    const { controller, instance, newId } = this.#options;
    const { regarding, type, reason, action, note } = event.happening;
    const { name = "", namespace, uid } = regarding.metadata;
    // Names of roles and the like may have what no Event's name may have.
    const lower = name.toLowerCase().replace(/[^a-z0-9]*[^a-z0-9.-][^a-z0-9]*/g, "-");
    const start = lower.slice(0, maxNameStart).replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "");
    return {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: `${start || "event"}.${newId()}`, namespace: namespace ?? "default" },
      eventTime: microTime(event.lastAt),
      reportingController: controller,
      reportingInstance: instance,
      type,
      reason,
      action,
      note: cutToBytes(note, maxNoteBytes),
      regarding: { apiVersion: regarding.apiVersion, kind: regarding.kind, name, namespace, uid },
      ...(event.count > 1 ? { series: seriesOf(event) } : {}),
    };
  }
}

const seriesOf = ({ count, lastAt }: OpenEvent): object => ({ count, lastObservedTime: microTime(lastAt) });

/** The API server counts bytes; a character stays whole. */
function cutToBytes(text: string, most: number): string {
  const bytes = new Uint8Array(most);
  const { read } = new TextEncoder().encodeInto(text, bytes);
  return text.slice(0, read);
}
