import type { ErrorCode } from "@copepod/core/errors";
import type { UsageEntry } from "@copepod/core/mailbox-api";
import { inboundStates, outboundStates } from "@copepod/core/messages";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { QueueStats } from "./queue/queue-store.ts";

const microsPerDollar = 1_000_000;
/** In seconds. */
const wakeBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 15, 30, 60, 120];

interface FinishedReply {
  readonly statusCode: number;
  readonly elapsedTime: number;
}

/** Prometheus metrics of the router. Labels are bounded: never a session, a conversation or a sender. */
export class RouterMetrics {
  /** Where others add what they measure. */
  readonly registry = new Registry();
  readonly #http = this.#histogram("copepod_http_request_duration_seconds", "Requests by listener and route", [
    "listener",
    "route",
    "status",
  ]);
  readonly #accepted = this.#counter("copepod_messages_in_total", "Rows in, by outcome", ["outcome"]);
  readonly #refused = this.#counter("copepod_messages_refused_total", "Messages refused, by code", ["code"]);
  readonly #delivered = this.#counter("copepod_deliveries_total", "Deliveries by outcome", ["outcome"]);
  readonly #turns = this.#counter("copepod_turns_total", "Turns by how they ended", ["outcome"]);
  readonly #wakes = this.#counter("copepod_wakes_total", "Sessions woken, refused or put to sleep", ["outcome"]);
  readonly #wakePhases = new Histogram({
    name: "copepod_wake_phase_seconds",
    help: "Time since the wish to wake a session, until the starter has it, a pod is known, the first rows are leased",
    labelNames: ["phase"],
    buckets: wakeBuckets,
    registers: [this.registry],
  });
  readonly #tokens = this.#counter("copepod_model_tokens_total", "Tokens by credential and direction", [
    "credential",
    "direction",
  ]);
  readonly #cost = this.#counter("copepod_model_cost_dollars_total", "Cost by the price table, by credential", [
    "credential",
  ]);
  readonly #rows = this.#gauge("copepod_queue_rows", "Rows by direction and state", ["direction", "state"]);
  readonly #oldest = this.#gauge("copepod_queue_oldest_pending_seconds", "Age of the oldest pending row", []);
  readonly #wal = this.#gauge("copepod_queue_wal_bytes", "Size of the write-ahead log", []);
  readonly #problems = this.#gauge("copepod_resource_problems", "Resource files that can't be used", []);

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  httpRequest(listener: string, route: string, { statusCode, elapsedTime }: FinishedReply): void {
    this.#http.observe({ listener, route, status: String(statusCode) }, elapsedTime / 1_000);
  }

  accepted(outcome: "accepted" | "duplicate" | "laneFull"): void {
    this.#accepted.inc({ outcome });
  }

  refused(code: ErrorCode): void {
    this.#refused.inc({ code });
  }

  delivered(outcome: "sent" | "failed"): void {
    this.#delivered.inc({ outcome });
  }

  turn(outcome: "finished" | "cancelled" | "failed"): void {
    this.#turns.inc({ outcome });
  }

  wake(outcome: "woken" | "waiting" | "asleep" | "startFailed"): void {
    this.#wakes.inc({ outcome });
  }

  wakePhase(phase: "said" | "podSeen" | "firstLease", ms: number): void {
    this.#wakePhases.observe({ phase }, ms / 1_000);
  }

  /** The label is a name that the router itself gave to the session's proxy. */
  usage({ credential, ...entry }: UsageEntry): void {
    this.#tokens.inc({ credential, direction: "input" }, entry.inputTokens);
    this.#tokens.inc({ credential, direction: "output" }, entry.outputTokens);
    this.#tokens.inc({ credential, direction: "cacheRead" }, entry.cacheReadTokens);
    this.#tokens.inc({ credential, direction: "cacheWrite" }, entry.cacheWriteTokens);
    this.#cost.inc({ credential }, (entry.costMicros ?? 0) / microsPerDollar);
  }

  resourceProblems(count: number): void {
    this.#problems.set(count);
  }

  /** Text in Prometheus' format. */
  async render(stats: QueueStats, now: number): Promise<string> {
    for (const state of inboundStates) this.#rows.set({ direction: "in", state }, stats.inbound[state]);
    for (const state of outboundStates) this.#rows.set({ direction: "out", state }, stats.outbound[state]);
    this.#oldest.set(stats.oldestPendingAt === undefined ? 0 : Math.max(0, now - stats.oldestPendingAt) / 1_000);
    this.#wal.set(stats.walBytes);
    return await this.registry.metrics();
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  #gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }

  #histogram(name: string, help: string, labelNames: string[]): Histogram {
    return new Histogram({ name, help, labelNames, registers: [this.registry] });
  }
}
