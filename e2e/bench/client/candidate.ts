import { z } from "zod";

/** One line to a candidate. It answers with a line of milliseconds, one figure for each thing it did. */
export const jobSchema = z.object({
  do: z.enum(["get", "patch", "apply", "watch", "cache"]),
  namespace: z.string().default(""),
  name: z.string().default(""),
  /** Calls one after the other, or watches at the same time. */
  count: z.int().default(0),
  /** Events that each watch waits for; each says in `data.sent` when it was asked for, in ms since 1970. */
  events: z.int().default(0),
});
export type Job = z.input<typeof jobSchema>;
export type Order = z.output<typeof jobSchema>;

/** A client with its ways to do the jobs. The third candidate is `go/main.go`. */
export interface Candidate {
  get(order: Order): Promise<unknown>;
  patch(order: Order, data: Readonly<Record<string, string>>): Promise<unknown>;
  apply(order: Order, data: Readonly<Record<string, string>>): Promise<unknown>;
  /** Calls `opened` once, and `onData` with the data of each event until the signal aborts. */
  watch(order: Order, watching: Watching): Promise<void>;
  /** Caches all Errands for good. @returns how many, once the first list is in */
  cache(): Promise<number>;
}

export interface Watching {
  readonly signal: AbortSignal;
  opened(): void;
  onData(data: unknown): void;
}

export const configMaps = { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true };
