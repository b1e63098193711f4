import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Reflector } from "@copepod/kube/cache/reflector";
import type { Identity } from "@copepod/kube/client/access";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { systemClock } from "@copepod/kube/clock";
import { Controller } from "@copepod/kube/controller/controller";
import { lead } from "@copepod/kube/controller/lead";
import { mergePatchOf } from "@copepod/kube/controller/merge-patch";
import { ownerKey, ownKey, sourceOf } from "@copepod/kube/controller/sources";
import { campaign } from "@copepod/kube/lease/election";
import { Fence } from "@copepod/kube/lease/fence";
import type { Leadership } from "@copepod/kube/lease/leadership";
import type { ElectionTimes } from "@copepod/kube/lease/options";
import { type KubeObject, keyOf, parseKey } from "@copepod/kube/object";
import { z } from "zod";
import { until } from "../support/until.ts";
import { configMaps } from "./support/follower.ts";

// A tiny controller on a real API server, whole with its election and its fence: for each ConfigMap that is labelled as a
// source, it keeps a copy that the source owns and that has the same data in upper case.

const roleLabel = "example.dev/role";
/** The tests restart the API server on a busy machine; elections have tests of their own. */
export const leaseMs = 40_000;
const times: ElectionTimes = { leaseMs, renewDeadlineMs: 30_000, retryMs: 500 };
const copyName = (name: string): string => `${name}-copy`;
const drainMs = 5_000;

export const makeSource = (namespace: string, name: string, data: Record<string, string>): KubeObject => ({
  metadata: { namespace, name, labels: { [roleLabel]: "source" } },
  data,
});

const dataOf = (object: KubeObject): Record<string, string> =>
  z.record(z.string(), z.string()).parse(object.data ?? {});

export interface CopierOptions {
  readonly identity: Identity;
  readonly namespace: string;
  /** Called before each write; what it throws is a failure of the reconcile. */
  readonly beforeWrite?: (key: string) => void | Promise<void>;
}

export class Copier implements AsyncDisposable {
  readonly userAgent = "copier/1";
  leads = false;
  readonly warned: string[] = [];
  reconciles = 0;
  conflicts = 0;
  readonly #options: CopierOptions;
  readonly #client: KubeClient;
  readonly #reflector: Reflector<KubeObject>;
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;
  #fence: Fence | undefined;

  constructor(options: CopierOptions) {
    this.#options = options;
    const { identity, namespace } = options;
    const tools = { clock: systemClock, random: Math.random };
    this.#client = createKubeClient({ identity, userAgent: this.userAgent, ...tools });
    const log = { debug: () => {}, info: () => {}, warn: (_: object, line: string) => void this.warned.push(line) };
    this.#reflector = new Reflector(
      { resource: configMaps, namespace, transform: (object) => object },
      { client: this.#client, ...tools, log },
    );
    const { cache } = this.#reflector;
    const isSource = ({ metadata }: KubeObject): boolean => metadata.labels?.[roleLabel] === "source";
    const controller = new Controller({
      name: "copier",
      reconcile: (key) => this.#reconcile(key),
      sources: [
        sourceOf(cache, { keysOf: (object) => (isSource(object) ? ownKey(object) : []) }),
        sourceOf(cache, { keysOf: ownerKey(configMaps) }),
      ],
      ...{ ...tools, log },
      observer: {
        queue: { follow: () => {}, added: () => {}, retried: () => {}, started: () => {}, finished: () => {} },
        workers: () => {},
        began: () => void this.reconciles++,
        timedOut: () => {},
        ended: (outcome) => {
          if (outcome === "requeue") this.conflicts += 1;
        },
      },
    });
    const stop = this.#stop.signal;
    const lease = { namespace, name: "copier" };
    const election = { client: this.#client, lease, identity: randomUUID(), ...tools, log, times };
    const begin = (leadership: Leadership) => {
      this.#fence = new Fence({ client: this.#client, leadership, annotation: "example.dev/term" });
      this.leads = true;
      return [controller];
    };
    const led = lead({ campaign: (signal) => campaign(election, signal), begin, drainMs }, stop);
    this.#running = Promise.all([this.#reflector.run(stop), led]).catch((error: unknown) => {
      if (error !== stop.reason) throw error;
    });
  }

  async #reconcile(key: string): Promise<undefined> {
    const { cache } = this.#reflector;
    const source = cache.get(key);
    // The garbage collector removes the copy of a source that is gone.
    if (!source || source.metadata.deletionTimestamp !== undefined) return;
    const { namespace, name } = parseKey(key);
    const place = { ...(namespace === undefined ? {} : { namespace }), name: copyName(name) };
    const wanted = Object.fromEntries(
      Object.entries(dataOf(source)).map(([field, text]) => [field, text.toUpperCase()]),
    );
    const present = cache.get(keyOf(place));
    const patch = mergePatchOf(present ? dataOf(present) : {}, wanted);
    if (present && !patch) return;
    await this.#options.beforeWrite?.(key);
    if (present) await this.#fence?.mergePatch(configMaps, present, { data: patch });
    else {
      const owner = { apiVersion: "v1", kind: "ConfigMap", name, uid: source.metadata.uid ?? "", controller: true };
      await this.#fence?.create(configMaps, { metadata: { ...place, ownerReferences: [owner] }, data: wanted });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await this.#running;
    await this.#client.close();
  }
}

/** Whether each source has its copy, and each copy says what it should. */
export async function isConverged(server: KubeClient, namespace: string): Promise<boolean> {
  const { items } = await server.page(configMaps, { namespace });
  const copies = new Map(items.map((object) => [object.metadata.name, object]));
  const sources = items.filter(({ metadata }) => metadata.labels?.[roleLabel] === "source");
  return sources.every((source) => {
    const copy = copies.get(copyName(source.metadata.name ?? ""));
    return (
      copy &&
      JSON.stringify(dataOf(copy)) === JSON.stringify(dataOf(source)).replace(/:"[^"]*"/g, (text) => text.toUpperCase())
    );
  });
}

const auditSchema = z.object({
  userAgent: z.string().optional(),
  objectRef: z.object({ namespace: z.string(), name: z.string() }).partial(),
});

async function readAudit(auditLog: string, namespace: string) {
  const lines = (await readFile(auditLog, "utf8")).split("\n").slice(0, -1);
  const entries = lines.filter((line) => line.includes(namespace)).map((line) => auditSchema.parse(JSON.parse(line)));
  return entries.filter(({ objectRef }) => objectRef.namespace === namespace);
}

export interface CountOptions {
  readonly server: KubeClient;
  readonly auditLog: string;
  readonly namespace: string;
  readonly userAgent: string;
}

/** Writes of a program in a namespace so far, refused ones included, as the API server has written them down. */
export async function countWrites({ server, auditLog, namespace, userAgent }: CountOptions): Promise<number> {
  // A line comes a little after its answer; once that of a later write is there, so are those before it.
  const name = `mark-${randomUUID()}`;
  await server.create(configMaps, { metadata: { namespace, name } });
  const entries = await until("the mark is in the audit log", async () => {
    const found = await readAudit(auditLog, namespace);
    return found.some(({ objectRef }) => objectRef.name === name) && found;
  });
  return entries.filter((entry) => entry.userAgent === userAgent).length;
}
