import { readFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { systemClock } from "@copepod/kube/clock";
import { z } from "zod";
import { ClusterSystem } from "../installation/cluster-system.ts";
import { agentsNamespace, Installation, systemImages } from "../installation/installation.ts";
import { terminalResources } from "../support/system.ts";
import type { Bench, BenchContext } from "./bench.ts";
import { percentile } from "./queue/load.ts";
import { readWrites, type Write } from "./wake/audit.ts";
import { bareClaim, bareNamespace, barePod, wakeBare } from "./wake/bare.ts";
import { burst, type Stage, type Wake, wakeOnce } from "./wake/rounds.ts";
import { Watcher } from "./wake/watcher.ts";

const burstSize = 12;
/** The first wakes fill caches of the node. */
const warmUpWakes = 2;
const budgetFile = join(import.meta.dirname, "wake/budget.json");

export const bench: Bench = {
  summary:
    "From a message to a sleeping session until its pod has it, beside a bare pod of the same shape (root, Linux).",
  options: { wakes: { type: "string", default: "30" } },
  run: async ({ wakes }, context) => {
    await using installation = await Installation.create({ provider: "native", life: "node" }, systemImages);
    await installation.install();
    const client = createKubeClient({
      identity: kubeconfig({ files: [installation.kubeconfig] }),
      userAgent: "bench-wake/1",
      clock: systemClock,
      random: Math.random,
    });
    const watcher = new Watcher(client, { agents: agentsNamespace, bare: bareNamespace });
    try {
      await watcher.ready();
      await using system = await ClusterSystem.start(
        installation,
        terminalResources({ idleAfter: "1s", maxRunning: 20 }),
      );
      const figures = await measure({ installation, system, watcher }, Number(wakes), context);
      const budget = z.record(z.string(), z.number()).parse(JSON.parse(await readFile(budgetFile, "utf8")));
      const exceeded = Object.entries(budget).filter(([name, most]) => !((figures[name] ?? Number.NaN) <= most));
      const complaints = exceeded.map(([name, most]) => `${name} is ${figures[name]}, budget ${most}`);
      const load = `Load of the machine at the end: ${loadavg()[0]}.`;
      return { ok: exceeded.length === 0, figures, notes: [...notes, load, ...complaints] };
    } finally {
      await watcher.close();
      await client.close();
    }
  },
};

const notes = [
  "Each round: a bare pod, then a wake. Times since the row's commit, as a watch told of them (kubelet's reports come late);",
  "first lease: the runner's log line “turn begins”. bare: from when a watch told of the pod (so less than kubectl's own",
  "time) until its second process heard from the first. sleep: `wanted: false` until the pod is gone, as watches told.",
  "Writes of router and operator by the audit log; Leases and Events left out.",
];

async function measure(stage: Stage, count: number, { say, signal }: BenchContext): Promise<Record<string, number>> {
  const { installation } = stage;
  const images = await imagesOf(stage);
  await installation.ask("create", "namespace", bareNamespace);
  await installation.apply([bareClaim], bareNamespace);
  const pod = barePod("bare", images);
  say(`${warmUpWakes} rounds to warm up, then ${count} …`);
  const bare: number[] = [];
  const wakes: Wake[] = [];
  let errors = 0;
  for (let round = 0; round < warmUpWakes + count; round++) {
    signal.throwIfAborted();
    const bareTook = await wakeBare(installation, stage.watcher, pod);
    const wake = await wakeOnce(stage, "main").catch((error: unknown) => say(`a wake failed: ${error}`));
    if (round < warmUpWakes) continue;
    bare.push(bareTook);
    if (wake) wakes.push(wake);
    else errors++;
    if (round % 10 === 0) say(`${round - warmUpWakes} of ${count} …`);
  }
  const writes = await readWrites(join(installation.stage.folder, "audit.log"));
  say(`${burstSize} sessions at once …`);
  const burstTook = await burst(stage, burstSize);
  return { wakes: wakes.length, ...summarise(wakes, bare, writes), burst12_last_s: burstTook, wake_errors: errors };
}

function summarise(wakes: readonly Wake[], bare: readonly number[], writes: readonly Write[]): Record<string, number> {
  const since = (at: (wake: Wake) => number) => sorted(wakes.map((wake) => (at(wake) - wake.row) / 1_000));
  const lease = since((wake) => wake.lease);
  const bareSorted = sorted(bare);
  const p50 = (of: Float64Array): number => percentile(of, 0.5);
  return {
    row_to_patch_p50_s: p50(since((wake) => wake.wanted)),
    row_to_pod_created_p50_s: p50(since((wake) => wake.created)),
    row_to_scheduled_p50_s: p50(since((wake) => wake.scheduled)),
    row_to_started_p50_s: p50(since((wake) => wake.started)),
    row_to_ready_p50_s: p50(since((wake) => wake.ready)),
    row_to_first_lease_p50_s: p50(lease),
    row_to_first_lease_p95_s: percentile(lease, 0.95),
    row_to_reply_p50_s: p50(since((wake) => wake.reply)),
    bare_p50_s: p50(bareSorted),
    bare_p95_s: percentile(bareSorted, 0.95),
    vs_bare_p50: p50(lease) / p50(bareSorted),
    sleep_p50_s: p50(sorted(wakes.map(({ unwanted, gone }) => (gone - unwanted) / 1_000))),
    ...countWrites(wakes, writes),
  };
}

/** A write belongs to the wake until the session is no longer wanted, and to the sleep from then on. */
function countWrites(wakes: readonly Wake[], writes: readonly Write[]): Record<string, number> {
  const within = (from: number, to: number) => writes.filter(({ at }) => at >= from && at < to).length;
  // The patch that says so is seen a moment after it was received.
  const patchMs = 100;
  const ofWakes = wakes.map(({ row, unwanted }) => within(row, unwanted - patchMs));
  const ofSleeps = wakes.map(({ unwanted }, index) => within(unwanted - patchMs, wakes[index + 1]?.row ?? Infinity));
  return { api_writes_per_wake: mean(ofWakes), api_writes_per_sleep: mean(ofSleeps) };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const sorted = (values: readonly number[]): Float64Array => Float64Array.from(values).sort();

const containersSchema = z.object({
  items: z.array(
    z.object({ spec: z.object({ containers: z.array(z.object({ name: z.string(), image: z.string() })) }) }),
  ),
});

/** Those of a session's pod, which is woken for it. */
async function imagesOf({ installation, system }: Stage): Promise<{ proxy: string; agent: string }> {
  await system.ask("main", "hello");
  const args = ["get", "pods", `--namespace=${agentsNamespace}`, "--output=json"];
  const [pod] = containersSchema.parse(JSON.parse(await installation.ask(...args))).items;
  const [proxy, agent] = pod?.spec.containers ?? [];
  if (!proxy || !agent) throw new Error("a session's pod should have two containers");
  return { proxy: proxy.image, agent: agent.image };
}
