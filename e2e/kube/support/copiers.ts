import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Identity } from "@copepod/kube/client/access";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { systemClock } from "@copepod/kube/clock";
import type { ElectionTimes } from "@copepod/kube/lease/options";
import type { KubeObject } from "@copepod/kube/object";
import { Registry } from "prom-client";
import { z } from "zod";
import { until } from "../../support/until.ts";
import { type CopierParts, configMaps, dataOf, makeCopier, roleLabel } from "../example/copier.ts";

/** The tests restart the API server on a busy machine; elections have tests of their own. */
export const leaseMs = 40_000;
const times: ElectionTimes = { leaseMs, renewDeadlineMs: 30_000, retryMs: 500 };

export const makeSource = (namespace: string, name: string, data: Record<string, string>): KubeObject => ({
  metadata: { namespace, name, labels: { [roleLabel]: "source" } },
  data,
});

export interface RunningOptions {
  readonly identity: Identity;
  readonly namespace: string;
  /** Called before each write of a copy, with its name; what it throws is a failure of the reconcile. */
  readonly beforeWrite?: (copy: string) => void | Promise<void>;
}

/** The example's controller, seen by its metrics and its log. */
export class RunningCopier implements AsyncDisposable {
  readonly userAgent = "copier/1";
  readonly warned: string[] = [];
  readonly #clients: readonly KubeClient[];
  readonly #registry = new Registry();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor({ identity, namespace, beforeWrite = () => {} }: RunningOptions) {
    const tools = { clock: systemClock, random: Math.random };
    const log = { debug: () => {}, info: () => {}, warn: (_: object, line: string) => void this.warned.push(line) };
    const connect = () => createKubeClient({ identity, userAgent: this.userAgent, ...tools });
    const [own, leaseClient] = [connect(), connect()];
    this.#clients = [own, leaseClient];
    const client = withHold(own, beforeWrite);
    const copier = makeCopier({
      ...{ client, leaseClient, namespace, candidate: randomUUID(), registry: this.#registry, times, log },
      ...tools,
    });
    this.#running = copier.run(this.#stop.signal);
  }

  async leads(): Promise<boolean> {
    return (await this.#figure("leader_election_master_status")) === 1;
  }

  async reconciles(): Promise<number> {
    return await this.#figure("controller_runtime_reconcile_time_seconds_count");
  }

  async conflicts(): Promise<number> {
    return await this.#figure('controller_runtime_reconcile_total{controller="copier",result="requeue"}');
  }

  /** @param start of its line; 0 when there is none */
  async #figure(start: string): Promise<number> {
    const lines = (await this.#registry.metrics()).split("\n");
    return Number(
      lines
        .find((line) => line.startsWith(start))
        ?.split(" ")
        .at(-1) ?? 0,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await this.#running;
    await Promise.all(this.#clients.map((client) => client.close()));
  }
}

function withHold(client: KubeClient, beforeWrite: (copy: string) => void | Promise<void>): CopierParts["client"] {
  return {
    list: (...call) => client.list(...call),
    watch: (...call) => client.watch(...call),
    delete: (...call) => client.delete(...call),
    create: async (...call) => {
      await beforeWrite(call[1].metadata.name ?? "");
      return await client.create(...call);
    },
    mergePatch: async (...call) => {
      await beforeWrite(call[1].name);
      return await client.mergePatch(...call);
    },
  };
}

/** Whether each source has its copy, and each copy says what it should. */
export async function isConverged(server: KubeClient, namespace: string): Promise<boolean> {
  const { items } = await server.page(configMaps, { namespace });
  const copies = new Map(items.map((object) => [object.metadata.name, object]));
  const sources = items.filter(({ metadata }) => metadata.labels?.[roleLabel] === "source");
  return sources.every((source) => {
    const copy = copies.get(`${source.metadata.name}-copy`);
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
