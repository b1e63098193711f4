import type { Bench, BenchContext } from "./bench.ts";
import { runBare } from "./queue/bare.ts";
import { ClaimBench } from "./queue/claims.ts";
import { type LoadResult, percentile, postRequest, runLoad } from "./queue/load.ts";
import { type RouterUnderTest, startRouter } from "./queue/router-under-test.ts";
import { buildSlowDisk } from "./queue/slow-disk.ts";

const conversations = 900;
const eventsPerBatch = 32;
/** Events of one chat that follow each other in a batch, as when an adapter catches up after a reconnect. */
const eventsPerChat = 8;
const offeredPerSecond = 10_000;
const warmUpMs = 1_500;
const fsyncDelayMs = 20;
const claimsPerSize = 400;
const text = "x".repeat(200);

const budgets = {
  enqueue_per_s: { atLeast: 10_000 },
  enqueue_p99_ms: { atMost: 10 },
  enqueue_vs_bare: { atLeast: 0.25 },
  batch_events_per_s: { atLeast: 40_000 },
  claim_slowdown_1e6: { atMost: 2 },
  slow_enqueue_per_s: { atLeast: 1_000 },
  slow_loop_lag_p99_ms: { atMost: 20 },
} as const;

export const bench: Bench = {
  summary: "Durable enqueue over HTTP, claim and finish, beside bare better-sqlite3; and once more on a slow disk.",
  options: {
    seconds: { type: "string", default: "4" },
    rows: { type: "string", default: "1000000" },
  },
  run: async ({ seconds, rows }, context) => {
    const durationMs = Number(seconds) * 1_000;
    const figures = {
      ...(await enqueue(durationMs, context)),
      ...(await claims(Number(rows), durationMs, context)),
      ...(await slow(durationMs, context)),
    };
    const misses = missed(figures);
    return { ok: misses.length === 0, figures, notes: [...explanations, ...misses] };
  },
};

const explanations = [
  "enqueue_*: one event per request, 64 connections, each answered after its commit (synchronous=FULL).",
  "offered_10k_*: the same, but at a steady 10,000 events per second instead of as fast as it goes.",
  `batch_*: ${eventsPerBatch} events per request, 64 connections; ${eventsPerChat} in a row per chat, as after a reconnect, or each of another chat.`,
  "enqueue_vs_bare: enqueue_per_s over better-sqlite3 alone with the same statements per event and 64 events per commit.",
  "claim_slowdown_1e6: median time of a take with 10^6 open rows in other sessions, over that with 10^3.",
  `slow_*: every fsync delayed by ${fsyncDelayMs} ms; the lag is that of the router's event loop, above its idle mean.`,
];

type Figures = Record<string, number>;

async function enqueue(durationMs: number, { say }: BenchContext): Promise<Figures> {
  await using router = await startRouter();
  await load(router, { connections: 8, durationMs: warmUpMs, events: 1, eventsPerChat: 1 });
  const figures: Figures = {};
  for (const connections of [1, 8, 64]) {
    say(`enqueue, ${connections} connections …`);
    const result = await load(router, { connections, durationMs, events: 1, eventsPerChat: 1 });
    figures[`enqueue_per_s_at_${connections}`] = result.requests / result.seconds;
    figures[`enqueue_p50_ms_at_${connections}`] = percentile(result.latencies, 0.5);
    figures[`enqueue_p99_ms_at_${connections}`] = percentile(result.latencies, 0.99);
  }
  say(`enqueue, 64 connections, ${offeredPerSecond} offered per second …`);
  const steady = { connections: 64, durationMs, events: 1, eventsPerChat: 1, perSecond: offeredPerSecond };
  const offered = await load(router, steady);
  say(`enqueue, batches of ${eventsPerBatch} …`);
  const batch = { connections: 64, durationMs, events: eventsPerBatch };
  const batches = await load(router, { ...batch, eventsPerChat });
  const scattered = await load(router, { ...batch, eventsPerChat: 1 });
  say("bare better-sqlite3 …");
  const bare = runBare({ sessions: conversations, batch: 64, durationMs, body: JSON.stringify({ text }) });
  const perSecond = figures.enqueue_per_s_at_64 ?? 0;
  return {
    ...figures,
    enqueue_per_s: perSecond,
    enqueue_p99_ms: figures.enqueue_p99_ms_at_64 ?? 0,
    offered_10k_per_s: offered.requests / offered.seconds,
    offered_10k_p99_ms: percentile(offered.latencies, 0.99),
    bare_per_s: bare,
    enqueue_vs_bare: perSecond / bare,
    batch_events_per_s: (batches.requests * eventsPerBatch) / batches.seconds,
    batch_scattered_events_per_s: (scattered.requests * eventsPerBatch) / scattered.seconds,
  };
}

async function claims(rows: number, durationMs: number, { say }: BenchContext): Promise<Figures> {
  await using bench = await ClaimBench.open();
  const figures: Figures = {};
  say("claim and finish, 64 sessions …");
  figures.claim_finish_per_s = await bench.claimsPerSecond(64, durationMs);
  const sizes = [1_000, 10_000, 100_000, 1_000_000].filter((size) => size <= rows);
  for (const [index, size] of sizes.entries()) {
    say(`claim time with ${size.toLocaleString("en-US")} open rows elsewhere …`);
    await bench.growTo(size);
    const times = Float64Array.from(await bench.claimTimes(`default/probe-${index}`, claimsPerSize)).sort();
    figures[`claim_p50_ms_1e${Math.log10(size)}`] = percentile(times, 0.5);
  }
  const smallest = figures.claim_p50_ms_1e3 ?? Number.NaN;
  const largest = figures[`claim_p50_ms_1e${Math.log10(sizes.at(-1) ?? 1_000)}`] ?? Number.NaN;
  return { ...figures, claim_slowdown_1e6: largest / smallest };
}

async function slow(durationMs: number, { say }: BenchContext): Promise<Figures> {
  say(`enqueue with every fsync delayed by ${fsyncDelayMs} ms …`);
  await using disk = await buildSlowDisk(fsyncDelayMs);
  await using router = await startRouter(disk.env);
  const idle = await router.metric("nodejs_eventloop_lag_mean_seconds");
  const singles = { connections: 64, events: 1, eventsPerChat: 1 };
  await load(router, { ...singles, durationMs: warmUpMs });
  // The router's histogram restarts at each look.
  await router.metric("nodejs_eventloop_lag_p99_seconds");
  const result = await load(router, { ...singles, durationMs });
  const lag = await router.metric("nodejs_eventloop_lag_p99_seconds");
  return {
    slow_enqueue_per_s: result.requests / result.seconds,
    slow_enqueue_p99_ms: percentile(result.latencies, 0.99),
    slow_loop_lag_p99_ms: (lag - idle) * 1_000,
  };
}

interface Load {
  readonly connections: number;
  readonly durationMs: number;
  readonly events: number;
  readonly eventsPerChat: number;
  readonly perSecond?: number;
}

let keys = 0;

/** Requests are one template with numbers written into it, so that making them costs the machine next to nothing. */
function load(router: RouterUnderTest, { events, eventsPerChat, ...pace }: Load): Promise<LoadResult> {
  const body = JSON.stringify({ instance: router.instance, events: Array.from({ length: events }, () => emptyEvent) });
  const template = postRequest("/v1/channel/accept", router.token, body);
  const keyPlaces = placesOf(template, keyPlaceholder);
  const chatPlaces = placesOf(template, chatPlaceholder);
  const chatsPerEvent = chatPlaces.length / events;
  const nextRequest = () => {
    const request = Buffer.from(template);
    keyPlaces.forEach((place, event) => {
      keys += 1;
      request.write(String(keys).padStart(keyPlaceholder.length, "0"), place, "latin1");
      const chat = String(Math.floor(keys / eventsPerChat) % conversations).padStart(chatPlaceholder.length, "0");
      for (let at = 0; at < chatsPerEvent; at++) {
        request.write(chat, chatPlaces[event * chatsPerEvent + at] ?? 0, "latin1");
      }
    });
    return request;
  };
  return runLoad({ socketPath: router.channelSocket, nextRequest, ...pace });
}

const keyPlaceholder = "KKKKKKKKKK";
const chatPlaceholder = "CCCC";
const chat = `chat-${chatPlaceholder}`;
const emptyEvent = {
  dedupeKey: `key-${keyPlaceholder}`,
  occurredAt: 0,
  conversation: { address: chat, kind: "Direct", name: chat },
  sender: { id: chat, name: chat },
  text,
};

function placesOf(template: Buffer, placeholder: string): number[] {
  const places: number[] = [];
  for (let at = template.indexOf(placeholder); at !== -1; at = template.indexOf(placeholder, at + 1)) places.push(at);
  return places;
}

function missed(figures: Figures): string[] {
  return Object.entries(budgets).flatMap(([name, budget]) => {
    const value = figures[name] ?? Number.NaN;
    const kept = "atLeast" in budget ? value >= budget.atLeast : value <= budget.atMost;
    const bound = "atLeast" in budget ? `at least ${budget.atLeast}` : `at most ${budget.atMost}`;
    return kept ? [] : [`MISSED: ${name} is ${value.toFixed(3)}, asked for ${bound}`];
  });
}
