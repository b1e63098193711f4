import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { ReflectorObserver } from "../cache/observer.ts";
import type { ClientObserver } from "../client/observer.ts";
import type { ControllerObserver, ReconcileOutcome } from "../controller/controller.ts";
import type { QueueFigures } from "../controller/work-queue.ts";
import type { ElectionObserver } from "../lease/options.ts";

// Names, labels and buckets are those of controller-runtime and client-go, so that public dashboards work. Only
// reflector_failures_total and reflector_faults_total are our own. Each function is called once per registry.

/** In seconds. */
const requestBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];
const reconcileBuckets = [
  ...[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 1.75,
  ],
  ...[2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60],
];
const queueBuckets = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1_000];
/** A watch in good order lives for minutes; client-go gives no buckets for these two. */
const watchBuckets = [0.1, 1, 10, 60, 180, 300, 450, 600, 900];
const itemBuckets = [0, 1, 10, 100, 1_000, 10_000, 100_000];

const outcomes: readonly ReconcileOutcome[] = ["success", "error", "requeue", "requeue_after"];

export function clientMetrics(registry: Registry): ClientObserver {
  const { counter, histogram } = makersOf(registry);
  const timed = ["verb", "host"] as const;
  const requests = counter("rest_client_requests_total", "HTTP requests by status", ["code", "method", "host"]);
  const requestSeconds = histogram("rest_client_request_duration_seconds", "HTTP requests", timed, requestBuckets);
  const waits = histogram(
    "rest_client_rate_limiter_duration_seconds",
    "Waits for our rate limit",
    timed,
    requestBuckets,
  );
  return {
    exchanged: ({ code, method, host, seconds }) => {
      requests.inc({ code, method, host });
      requestSeconds.observe({ verb: method, host }, seconds);
    },
    waited: ({ verb, host, seconds }) => waits.observe({ verb, host }, seconds),
  };
}

export function reflectorMetrics(registry: Registry): ReflectorObserver {
  const { counter, histogram } = makersOf(registry);
  const named = ["name"] as const;
  const lists = counter("reflector_lists_total", "Complete lists", named);
  const listSeconds = histogram("reflector_list_duration_seconds", "Lists", named, requestBuckets);
  const listItems = histogram("reflector_items_per_list", "Objects in a list", named, itemBuckets);
  const watches = counter("reflector_watches_total", "Watches that have ended", named);
  const shortWatches = counter("reflector_short_watches_total", "Watches that ended at once", named);
  const watchSeconds = histogram("reflector_watch_duration_seconds", "Watches", named, watchBuckets);
  const watchItems = histogram("reflector_items_per_watch", "Events in a watch", named, itemBuckets);
  const failures = counter("reflector_failures_total", "Lists and watches that failed", ["name", "code"]);
  const faults = counter("reflector_faults_total", "Transforms and listeners that threw", ["name", "by"]);
  return {
    listed: ({ name, seconds, items }) => {
      lists.inc({ name });
      listSeconds.observe({ name }, seconds);
      listItems.observe({ name }, items);
    },
    watched: ({ name, seconds, items, short }) => {
      watches.inc({ name });
      if (short) shortWatches.inc({ name });
      watchSeconds.observe({ name }, seconds);
      watchItems.observe({ name }, items);
    },
    failed: ({ name, code }) => failures.inc({ name, code }),
    threw: ({ name, by }) => faults.inc({ name, by }),
  };
}

/** @returns gives the observer of the election with this name */
export function electionMetrics(registry: Registry): (name: string) => ElectionObserver {
  const { counter, gauge } = makersOf(registry);
  const status = gauge("leader_election_master_status", "1 while this process holds the Lease", ["name"]);
  const slowPaths = counter("leader_election_slowpath_total", "Renewals that read the Lease first", ["name"]);
  return (name) => {
    status.set({ name }, 0);
    return {
      leading: (isLeading) => status.set({ name }, isLeading ? 1 : 0),
      slowPath: () => slowPaths.inc({ name }),
    };
  };
}

/** @returns gives the observer of the controller with this name */
export function controllerMetrics(registry: Registry): (name: string) => ControllerObserver {
  const { counter, gauge, histogram } = makersOf(registry);
  const figures = new Map<string, () => QueueFigures>();
  const figure = (name: string, help: string, read: (figures: QueueFigures) => number): void => {
    const each = gauge(name, help, ["name", "controller"], () => {
      for (const [queue, look] of figures) each.set({ name: queue, controller: queue }, read(look()));
    });
  };
  figure("workqueue_depth", "Keys that wait", ({ depth }) => depth);
  figure("workqueue_unfinished_work_seconds", "Work under way", ({ unfinishedMs }) => unfinishedMs / 1_000);
  figure("workqueue_longest_running_processor_seconds", "Longest under way", ({ longestMs }) => longestMs / 1_000);
  const queued = ["name", "controller"] as const;
  const adds = counter("workqueue_adds_total", "Keys added", queued);
  const retries = counter("workqueue_retries_total", "Keys added again after a failure", queued);
  const waits = histogram("workqueue_queue_duration_seconds", "Waits for a worker", queued, queueBuckets);
  const works = histogram("workqueue_work_duration_seconds", "Work on a key", queued, queueBuckets);
  const own = ["controller"] as const;
  const total = counter("controller_runtime_reconcile_total", "Reconciles by result", ["controller", "result"]);
  const errors = counter("controller_runtime_reconcile_errors_total", "Reconciles that failed", own);
  const timeouts = counter("controller_runtime_reconcile_timeouts_total", "Reconciles that took too long", own);
  const seconds = histogram("controller_runtime_reconcile_time_seconds", "Reconciles", own, reconcileBuckets);
  const mostWorkers = gauge("controller_runtime_max_concurrent_reconciles", "Workers", own);
  const activeWorkers = gauge("controller_runtime_active_workers", "Workers that have a key", own);
  return (controller) => {
    const labels = { name: controller, controller };
    // A series that is there from the start shows its first failure as a rise.
    for (const result of outcomes) total.inc({ controller, result }, 0);
    for (const each of [errors, timeouts]) each.inc({ controller }, 0);
    return {
      queue: {
        follow: (look) => figures.set(controller, look),
        added: () => adds.inc(labels),
        retried: () => retries.inc(labels),
        started: (waitedMs) => waits.observe(labels, waitedMs / 1_000),
        finished: (workedMs) => works.observe(labels, workedMs / 1_000),
      },
      workers: (most) => mostWorkers.set({ controller }, most),
      began: () => activeWorkers.inc({ controller }),
      timedOut: () => timeouts.inc({ controller }),
      ended: (result, took) => {
        activeWorkers.dec({ controller });
        total.inc({ controller, result });
        if (result === "error") errors.inc({ controller });
        seconds.observe({ controller }, took);
      },
    };
  };
}

const makersOf = (registry: Registry) => ({
  counter: <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name, help, labelNames, registers: [registry] }),
  gauge: <L extends string>(name: string, help: string, labelNames: readonly L[], collect = () => {}) =>
    new Gauge({ name, help, labelNames, registers: [registry], collect }),
  histogram: <L extends string>(name: string, help: string, labelNames: readonly L[], buckets: number[]) =>
    new Histogram({ name, help, labelNames, registers: [registry], buckets }),
});
