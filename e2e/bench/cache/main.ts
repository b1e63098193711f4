import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { caches } from "./caches.ts";
import type { Listed } from "./child.ts";
import { sentAtAnnotation } from "./objects.ts";

const mb = 1024 * 1024;
/** Makes the kernel forget the highest resident memory so far. */
const forgetPeak = "5";
/** What a garbage collection leaves behind needs a moment. */
const settleMs = 300;

const [, , name = "", kubeconfigFile = ""] = process.argv;
const make = Object.entries(caches).find(([known]) => known === name)?.[1];
if (!make) throw new Error(`no cache named "${name}"`);
const cache = make(kubeconfigFile);
let latenciesMs: number[] = [];

cache.onChange(({ [sentAtAnnotation]: sentAt = "0" }) => {
  const arrivedAt = process.hrtime.bigint();
  if (sentAt !== "0") latenciesMs.push(Number(arrivedAt - BigInt(sentAt)) / 1e6);
});

process.on("message", (question) => void answer(question));
process.on("disconnect", () => process.exit());

async function answer(question: unknown): Promise<void> {
  if (question === "list") process.send?.(await measureLists());
  else {
    process.send?.({ latenciesMs });
    latenciesMs = [];
  }
}

async function measureLists(): Promise<Listed> {
  const heapBefore = await restingHeap();
  const startRssMb = process.memoryUsage.rss() / mb;
  const first = await measured(() => cache.start());
  const heapBytes = (await restingHeap()) - heapBefore;
  const restRssMb = process.memoryUsage.rss() / mb;
  const second = await measured(() => cache.relist());
  await restingHeap();
  latenciesMs = [];
  return {
    listMs: first.ms,
    relistMs: second.ms,
    objects: cache.size,
    heapBytes,
    startRssMb,
    restRssMb,
    listPeakRssMb: first.peakRssMb,
    relistPeakRssMb: second.peakRssMb,
  };
}

async function restingHeap(): Promise<number> {
  for (let time = 0; time < 3; time++) {
    globalThis.gc?.();
    await setTimeout(settleMs);
  }
  return process.memoryUsage().heapUsed;
}

async function measured(act: () => Promise<void>): Promise<{ readonly ms: number; readonly peakRssMb: number }> {
  writeFileSync("/proc/self/clear_refs", forgetPeak);
  const startedAt = performance.now();
  await act();
  const ms = performance.now() - startedAt;
  const [, kb] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
  return { ms, peakRssMb: Number(kb) / 1024 };
}
