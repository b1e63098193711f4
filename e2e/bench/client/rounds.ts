import type { KubeClient } from "@copepod/kube/client/client";
import type { BenchContext } from "../bench.ts";
import { percentile } from "../queue/load.ts";
import { configMaps } from "./candidate.ts";
import { Contestant, type ContestantFiles, type ContestantName, contestants, figureNames } from "./contestant.ts";

const namespace = "default";
const called = { namespace, name: "called" };
const calls = { get: 300, patch: 100, apply: 100 } as const;
/** Of the same object, in one process. */
export const watches = 20;
const eventsPerWatch = 50;

interface CompareOptions extends BenchContext {
  readonly files: ContestantFiles;
}

/** The three clients take turns in each round, in random order; the first round only warms them up. */
export async function compareCalls(
  writer: KubeClient,
  rounds: number,
  { say, signal, files }: CompareOptions,
): Promise<Record<string, number>> {
  await writer.create(configMaps, { metadata: called, data: { text: "x".repeat(1_000) } });
  await using ours = await Contestant.start("ours", files);
  await using clientNode = await Contestant.start("clientNode", files);
  await using clientGo = await Contestant.start("clientGo", files);
  const byName = { ours, clientNode, clientGo };
  const samples = new Samples();
  for (let round = 0; round <= rounds && !signal.aborted; round++) {
    say(round === 0 ? "warming up …" : `round ${round} of ${rounds} …`);
    for (const name of shuffle(contestants)) {
      const took = await runRound(byName[name], writer, `watched-${name.toLowerCase()}-${round}`);
      if (round > 0) samples.add(name, took);
    }
  }
  const figures: Record<string, number> = { rounds, ...samples.figures() };
  for (const name of contestants) figures[`${figureNames[name]}pss_mb`] = byName[name].pssMb;
  return figures;
}

/** Milliseconds of each call or event. */
interface Took {
  readonly get: readonly number[];
  readonly patch: readonly number[];
  readonly apply: readonly number[];
  readonly event: readonly number[];
}

async function runRound(contestant: Contestant, writer: KubeClient, watched: string): Promise<Took> {
  const get = await contestant.perform({ do: "get", ...called, count: calls.get });
  const patch = await contestant.perform({ do: "patch", ...called, count: calls.patch });
  const apply = await contestant.perform({ do: "apply", ...called, count: calls.apply });
  const target = { namespace, name: watched };
  await writer.create(configMaps, { metadata: target });
  const event = await contestant.watch({ ...target, count: watches, events: eventsPerWatch }, async () => {
    for (let written = 0; written < eventsPerWatch; written++) {
      const sent = String(performance.timeOrigin + performance.now());
      await writer.mergePatch(configMaps, target, { data: { sent } });
    }
  });
  return { get, patch, apply, event };
}

/** The rounds of each contestant. */
class Samples {
  readonly #rounds: Readonly<Record<ContestantName, Took[]>> = { ours: [], clientNode: [], clientGo: [] };

  add(name: ContestantName, took: Took): void {
    this.#rounds[name].push(took);
  }

  figures(): Record<string, number> {
    const figures: Record<string, number> = {};
    for (const job of ["get", "patch", "apply", "event"] as const) {
      for (const name of contestants) {
        figures[`${figureNames[name]}${job}_p50_ms`] = this.#median(name, job, 0.5);
        figures[`${figureNames[name]}${job}_p99_ms`] = this.#median(name, job, 0.99);
      }
      figures[`${job}_p50_vs_client_go`] = this.#median("ours", job, 0.5) / this.#median("clientGo", job, 0.5);
    }
    return figures;
  }

  /** Of a percentile of each round. */
  #median(name: ContestantName, job: keyof Took, share: number): number {
    const values = this.#rounds[name].map((took) => percentile(Float64Array.from(took[job]).sort(), share));
    return percentile(Float64Array.from(values).sort(), 0.5);
  }
}

const shuffle = <T>(items: readonly T[]): T[] =>
  items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
