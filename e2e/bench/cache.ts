import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { startControlPlane } from "../support/control-plane.ts";
import { until } from "../support/until.ts";
import type { Bench, BenchContext } from "./bench.ts";
import { type CacheName, CacheProcess, type Listed } from "./cache/child.ts";
import { change, define, errands, fill } from "./cache/objects.ts";
import { percentile } from "./queue/load.ts";

const names: readonly CacheName[] = ["ours", "clientNode"];
const changesPerSecond = 100;
/** Of one object, without what the kind's definition and the indexes take. */
const maxHeapBytesPerObject = 2_048;

export const bench: Bench = {
  summary:
    "A cache of 20,000 objects: time and memory of lists, and how fast changes arrive; beside client-node's informer.",
  options: {
    objects: { type: "string", default: "20000" },
    rounds: { type: "string", default: "3" },
    changes: { type: "string", default: "2000" },
  },
  run: async (values, context) => {
    const count = Number(values.objects);
    context.say("starting an API server …");
    await using plane = await startControlPlane();
    const client = createKubeClient({
      identity: kubeconfig({ files: [plane.kubeconfig] }),
      userAgent: "bench-writer/1",
      clock: systemClock,
      random: Math.random,
      rate: { perSecond: 10_000, burst: 10_000 },
    });
    try {
      await define(client);
      await fill(client, count, context);
      const figures: Record<string, number> = { objects: count, ...(await sizes(client)) };
      Object.assign(
        figures,
        await compareLists(plane.kubeconfig, { count, rounds: Number(values.rounds), ...context }),
      );
      context.say("changing objects …");
      const changes = Number(values.changes);
      Object.assign(figures, await compareEvents(plane.kubeconfig, { client, changes, count, ...context }));
      return { ok: isOk(figures), figures, notes };
    } finally {
      await client.close();
    }
  },
};

const notes = [
  "Each cache in a process of its own that has loaded the same modules, in turns; medians of the rounds.",
  "heap_bytes_per_object: what the heap has grown by after the first list and a garbage collection. *_growth_mb: highest",
  "resident memory during the list above that before it. event_*: from before a change is asked for until a listener of the",
  `cache is called, ${changesPerSecond} changes a second, both caches follow the same ones. Objects have the managedFields of two writes.`,
];

/** What the API server sends of one object. */
async function sizes(client: ReturnType<typeof createKubeClient>): Promise<Record<string, number>> {
  const { items } = await client.page(errands, { limit: 100 });
  const stripped = items.map(({ metadata: { managedFields: _, ...metadata }, ...rest }) => ({ ...rest, metadata }));
  return {
    json_bytes_per_object: JSON.stringify(items).length / items.length,
    json_bytes_without_managed_fields: JSON.stringify(stripped).length / items.length,
  };
}

async function compareLists(
  kubeconfigFile: string,
  { count, rounds, say, signal }: BenchContext & { readonly count: number; readonly rounds: number },
): Promise<Record<string, number>> {
  const measured: Record<CacheName, Listed[]> = { ours: [], clientNode: [] };
  for (let round = 1; round <= rounds && !signal.aborted; round++) {
    say(`lists, round ${round} of ${rounds} …`);
    for (const name of names) {
      await using child = new CacheProcess(name, kubeconfigFile);
      const listed = await child.list();
      if (listed.objects !== count) throw new Error(`${name} has ${listed.objects} objects, not ${count}`);
      measured[name].push(listed);
    }
  }
  const figures: Record<string, number> = {};
  for (const [name, label] of labels) {
    const medianOf = (read: (listed: Listed) => number) => median(measured[name].map(read));
    figures[`${label}list_ms`] = medianOf(({ listMs }) => listMs);
    figures[`${label}relist_ms`] = medianOf(({ relistMs }) => relistMs);
    figures[`${label}heap_bytes_per_object`] = medianOf(({ heapBytes }) => heapBytes / count);
    figures[`${label}list_growth_mb`] = medianOf(({ listPeakRssMb, startRssMb }) => listPeakRssMb - startRssMb);
    figures[`${label}rest_rss_mb`] = medianOf(({ restRssMb }) => restRssMb);
    figures[`${label}relist_growth_mb`] = medianOf(({ relistPeakRssMb, restRssMb }) => relistPeakRssMb - restRssMb);
  }
  return figures;
}

const labels = [
  ["ours", ""],
  ["clientNode", "client_node_"],
] as const;

interface EventOptions extends BenchContext {
  readonly client: ReturnType<typeof createKubeClient>;
  readonly changes: number;
  readonly count: number;
}

async function compareEvents(
  kubeconfigFile: string,
  { client, changes, count, signal }: EventOptions,
): Promise<Record<string, number>> {
  await using ours = new CacheProcess("ours", kubeconfigFile);
  await using clientNode = new CacheProcess("clientNode", kubeconfigFile);
  await Promise.all([ours.list(), clientNode.list()]);
  const writes = await change(client, { count: changes, of: count, perSecond: changesPerSecond, signal });
  const figures: Record<string, number> = spread("write", writes);
  for (const [name, label] of labels) {
    const child = { ours, clientNode }[name];
    const latencies: number[] = [];
    await until(`${name} has seen all changes`, async () => {
      latencies.push(...(await child.latenciesMs()));
      return latencies.length >= changes;
    });
    Object.assign(figures, spread(`${label}event`, latencies));
  }
  return figures;
}

function spread(what: string, millis: readonly number[]): Record<string, number> {
  const sorted = Float64Array.from(millis).sort();
  return { [`${what}_p50_ms`]: percentile(sorted, 0.5), [`${what}_p99_ms`]: percentile(sorted, 0.99) };
}

function isOk(figures: Readonly<Record<string, number>>): boolean {
  const isLess = (name: string) => (figures[name] ?? Number.NaN) < (figures[`client_node_${name}`] ?? Number.NaN);
  const heap = figures.heap_bytes_per_object ?? Number.NaN;
  return heap <= maxHeapBytesPerObject && isLess("heap_bytes_per_object") && isLess("list_growth_mb");
}

const median = (values: readonly number[]): number => percentile(Float64Array.from(values).sort(), 0.5);
