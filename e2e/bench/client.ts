import { loadavg } from "node:os";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { startControlPlane } from "../support/control-plane.ts";
import type { Bench, BenchContext } from "./bench.ts";
import { CacheProcess } from "./cache/child.ts";
import { define, fill } from "./cache/objects.ts";
import { buildClientGo, Contestant, type ContestantFiles, figureNames } from "./client/contestant.ts";
import { measureOutage } from "./client/outage.ts";
import { compareCalls, watches } from "./client/rounds.ts";

export const bench: Bench = {
  summary: "Calls and watches of the Kubernetes client, beside client-node and client-go on the same API server.",
  options: {
    rounds: { type: "string", default: "9" },
    objects: { type: "string", default: "20000" },
    outage: { type: "string", default: "60" },
  },
  run: async ({ rounds, objects, outage }, context) => {
    const clientGo = await buildClientGo(context);
    context.say("starting an API server …");
    await using plane = await startControlPlane();
    const client = makeClient(plane.kubeconfig);
    try {
      const files = { clientGo, kubeconfig: plane.kubeconfig };
      const figures = await compareCalls(client, Number(rounds), { files, ...context });
      Object.assign(figures, await compareCaches(client, Number(objects), { files, ...context }));
      Object.assign(figures, await measureOutage(plane, Number(outage), context));
      return { ok: isOk(figures), figures, notes: [...notes, `Load of the machine at the end: ${loadavg()[0]}.`] };
    } finally {
      await client.close();
    }
  },
};

const notes = [
  "The three clients take turns in each round; median of the rounds' p50 and p99. A call is a ConfigMap of 1 KB; an event is",
  `timed from before its write is asked for, with ${watches} watches of it in one process. pss: after all rounds.`,
  "heap_bytes_per_object: with all objects cached (ours: reflector; client-node: its informer), after a collection, in processes",
  "that have loaded the same modules. cache_pss: in processes that have loaded only what each needs, as pods would.",
  "outage_*: a reflector while every answer is 503, then until the first event after it.",
];

const makeClient = (file: string): KubeClient =>
  createKubeClient({
    identity: kubeconfig({ files: [file] }),
    userAgent: "bench-writer/1",
    clock: systemClock,
    random: Math.random,
    rate: { perSecond: 10_000, burst: 10_000 },
  });

async function compareCaches(
  client: KubeClient,
  count: number,
  { files, ...context }: BenchContext & { readonly files: ContestantFiles },
): Promise<Record<string, number>> {
  await define(client);
  await fill(client, count, context);
  const figures: Record<string, number> = { objects: count };
  for (const name of ["ours", "clientNode"] as const) {
    context.say(`a cache of ${count} objects: ${name} …`);
    await using child = new CacheProcess(name, files.kubeconfig);
    const { heapBytes } = await child.list();
    figures[`${figureNames[name]}heap_bytes_per_object`] = heapBytes / count;
    await using contestant = await Contestant.start(name, files);
    const [objects] = await contestant.perform({ do: "cache" });
    if (objects !== count) throw new Error(`${name} has ${objects} objects, not ${count}`);
    figures[`${figureNames[name]}cache_pss_mb`] = contestant.pssMb;
  }
  return figures;
}

/** What must not be exceeded, and what must be less than client-node's. */
const most: Readonly<Record<string, number>> = { get_p50_vs_client_go: 1.5, heap_bytes_per_object: 2_048 };
const lessThanClientNode = ["pss_mb", "heap_bytes_per_object", "cache_pss_mb"];

function isOk(figures: Readonly<Record<string, number>>): boolean {
  const figureOf = (name: string): number => figures[name] ?? Number.NaN;
  const isWithin = Object.entries(most).every(([name, limit]) => figureOf(name) <= limit);
  const isLess = lessThanClientNode.every((name) => figureOf(name) < figureOf(`client_node_${name}`));
  return isWithin && isLess && figureOf("outage_relists") === 0;
}
