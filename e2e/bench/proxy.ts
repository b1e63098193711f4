import { loadavg } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { Bench } from "./bench.ts";
import { hasOwnCore } from "./proxy/cores.ts";
import { runStreams } from "./proxy/streams.ts";
import { startTargets, type Target, type TargetName, type Targets, targetNames } from "./proxy/targets.ts";
import { percentile, runLoad } from "./queue/load.ts";

/** Connections at the same time. */
const crowds = [1, 50, 200] as const;
/** Requests per second where not as many as possible are sent; one connection alone sends one after another. */
const perSecond = 1_000;
const warmUpMs = 2_000;
/** After its start, before its memory is read. */
const idleMs = 2_000;
/** How long it is loaded before its memory is read. */
const loadedMs = 10_000;
const body = JSON.stringify({ model: "none", messages: [{ role: "user", content: "x".repeat(960) }] });

const most: Readonly<Record<string, number>> = {
  added_p50_ms_at_1: 1.5,
  added_p50_vs_nginx: 2.5,
  rss_idle_mb: 80,
  rss_loaded_mb: 128,
};

export const bench: Bench = {
  summary: "What the credential-proxy adds to a request to a model API, against nginx with the same job.",
  options: { rounds: { type: "string", default: "7" }, seconds: { type: "string", default: "1" } },
  run: async ({ rounds, seconds }, { say, signal }) => {
    await using targets = await startTargets();
    await delay(idleMs, undefined, { signal });
    const rssIdle = await targets.proxyRssMb();
    const samples = new Samples();
    say("warming up …");
    for (const name of targetNames) await measure(targets.byName[name], 50, warmUpMs);
    const count = Number(rounds);
    for (let round = 1; round <= count && !signal.aborted; round++) {
      say(`round ${round} of ${count} …`);
      for (const crowd of crowds) await runRound(targets, { crowd, durationMs: Number(seconds) * 1_000, samples });
    }
    const rssLoaded = await loadedRssMb(targets);
    const figures: Record<string, number> = { rounds: count, ...samples.figures() };
    figures.rss_idle_mb = rssIdle;
    figures.rss_loaded_mb = rssLoaded;
    const ok = Object.entries(most).every(([name, limit]) => (figures[name] ?? Number.NaN) <= limit);
    const cores = hasOwnCore ? "nginx and proxy have a processor for themselves" : "all share the processors";
    const machine = `Load of the machine at the end: ${loadavg()[0]?.toFixed(1)}; ${cores}.`;
    return { ok, figures, notes: [...explanations, machine] };
  },
};

const explanations = [
  "In each round direct, nginx and proxy take turns in random order; added = its figure less that of direct in the same",
  "round, then the median of the rounds. All three are reached over a Unix socket. At 1 connection one request follows",
  `the other; at 50 and 200 there are ${perSecond} a second; per_second is with as many as possible.`,
];

interface Measured {
  readonly p50: number;
  readonly p99: number;
  readonly throughput: number;
  readonly firstP50: number;
  readonly firstP99: number;
  readonly eventP50: number;
  readonly eventP99: number;
}

async function runRound(
  targets: Targets,
  { crowd, durationMs, samples }: { readonly crowd: number; readonly durationMs: number; readonly samples: Samples },
): Promise<void> {
  const measured: Partial<Record<TargetName, Measured>> = {};
  for (const name of shuffle(targetNames)) measured[name] = await measure(targets.byName[name], crowd, durationMs);
  const { direct, nginx, proxy } = measured;
  if (direct && nginx && proxy) samples.add(crowd, { direct, nginx, proxy });
}

async function measure(
  { socketPath, prefix, key }: Target,
  connections: number,
  durationMs: number,
): Promise<Measured> {
  const json = toRequest(`${prefix}/json`, key);
  const common = { socketPath, connections, durationMs, nextRequest: () => json };
  const flood = await runLoad(common);
  const { latencies } = connections === 1 ? flood : await runLoad({ ...common, perSecond });
  const streams = await runStreams({
    socketPath,
    connections,
    durationMs,
    request: toRequest(`${prefix}/stream`, key),
  });
  return {
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    throughput: flood.requests / flood.seconds,
    firstP50: percentile(streams.firstEvent, 0.5),
    firstP99: percentile(streams.firstEvent, 0.99),
    eventP50: percentile(streams.event, 0.5),
    eventP99: percentile(streams.event, 0.99),
  };
}

async function loadedRssMb(targets: Targets): Promise<number> {
  const { socketPath, prefix, key } = targets.byName.proxy;
  const json = toRequest(`${prefix}/json`, key);
  await runLoad({ socketPath, connections: 50, durationMs: loadedMs, nextRequest: () => json, perSecond });
  return await targets.proxyRssMb();
}

const toRequest = (path: string, key: string): Buffer =>
  Buffer.from(
    `POST ${path} HTTP/1.1\r\nhost: api\r\nx-api-key: ${key}\r\ncontent-type: application/json\r\n` +
      `user-agent: bench\r\naccept: */*\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );

function shuffle<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

/** The rounds of each crowd. */
class Samples {
  readonly #rounds = new Map<number, Readonly<Record<TargetName, Measured>>[]>();

  add(crowd: number, round: Readonly<Record<TargetName, Measured>>): void {
    this.#rounds.set(crowd, [...(this.#rounds.get(crowd) ?? []), round]);
  }

  figures(): Record<string, number> {
    const figures: Record<string, number> = {};
    for (const crowd of crowds) {
      for (const [figure, field] of addedFigures) {
        figures[`${figure}_at_${crowd}`] = this.#added(crowd, "proxy", field);
        figures[`nginx_${figure}_at_${crowd}`] = this.#added(crowd, "nginx", field);
      }
      figures[`per_second_at_${crowd}`] = this.#median(crowd, ({ proxy }) => proxy.throughput);
      figures[`nginx_per_second_at_${crowd}`] = this.#median(crowd, ({ nginx }) => nginx.throughput);
    }
    figures.added_p50_vs_nginx = this.#added(50, "proxy", "p50") / this.#added(50, "nginx", "p50");
    return figures;
  }

  #added(crowd: number, name: "nginx" | "proxy", field: keyof Measured): number {
    return this.#median(crowd, (round) => round[name][field] - round.direct[field]);
  }

  #median(crowd: number, pick: (round: Readonly<Record<TargetName, Measured>>) => number): number {
    return percentile(Float64Array.from((this.#rounds.get(crowd) ?? []).map(pick)).sort(), 0.5);
  }
}

const addedFigures = [
  ["added_p50_ms", "p50"],
  ["added_p99_ms", "p99"],
  ["stream_added_first_p50_ms", "firstP50"],
  ["stream_added_first_p99_ms", "firstP99"],
  ["stream_added_event_p50_ms", "eventP50"],
  ["stream_added_event_p99_ms", "eventP99"],
] as const;
