import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Registry } from "prom-client";
import { WorkQueue } from "../controller/work-queue.ts";
import { TestClock } from "../testing/clock.ts";
import { clientMetrics, controllerMetrics, electionMetrics, reflectorMetrics } from "./metrics.ts";

/** Read in controller-runtime v0.25.2 (the first three groups), component-base v0.35.4, and client-go's reflector metrics. */
const known = {
  workqueue_depth: "gauge controller,name",
  workqueue_adds_total: "counter controller,name",
  workqueue_queue_duration_seconds: "histogram controller,name",
  workqueue_work_duration_seconds: "histogram controller,name",
  workqueue_unfinished_work_seconds: "gauge controller,name",
  workqueue_longest_running_processor_seconds: "gauge controller,name",
  workqueue_retries_total: "counter controller,name",
  controller_runtime_reconcile_total: "counter controller,result",
  controller_runtime_reconcile_errors_total: "counter controller",
  controller_runtime_reconcile_timeouts_total: "counter controller",
  controller_runtime_reconcile_time_seconds: "histogram controller",
  controller_runtime_max_concurrent_reconciles: "gauge controller",
  controller_runtime_active_workers: "gauge controller",
  leader_election_master_status: "gauge name",
  leader_election_slowpath_total: "counter name",
  rest_client_requests_total: "counter code,host,method",
  rest_client_request_duration_seconds: "histogram host,verb",
  rest_client_rate_limiter_duration_seconds: "histogram host,verb",
  reflector_lists_total: "counter name",
  reflector_list_duration_seconds: "histogram name",
  reflector_items_per_list: "histogram name",
  reflector_watches_total: "counter name",
  reflector_short_watches_total: "counter name",
  reflector_watch_duration_seconds: "histogram name",
  reflector_items_per_watch: "histogram name",
};
const own = { reflector_failures_total: "counter code,name", reflector_faults_total: "counter by,name" };

/** In a registry with every metric in use once. */
async function useAll(): Promise<Registry> {
  const registry = new Registry();
  const clock = new TestClock();
  const client = clientMetrics(registry);
  client.exchanged({ method: "GET", host: "127.0.0.1:6443", code: "200", seconds: 0.01 });
  client.waited({ verb: "GET", host: "127.0.0.1:6443", seconds: 0.2 });
  const reflector = reflectorMetrics(registry);
  reflector.listed({ name: "things.example.dev", seconds: 0.1, items: 20 });
  reflector.watched({ name: "things.example.dev", seconds: 300, items: 4, short: true });
  reflector.failed({ name: "things.example.dev", code: "clusterUnavailable" });
  reflector.threw({ name: "things.example.dev", by: "listener" });
  const election = electionMetrics(registry)("operator");
  election.leading(true);
  election.slowPath();
  const observer = controllerMetrics(registry)("things");
  observer.workers(4);
  observer.began();
  observer.began();
  observer.timedOut();
  observer.ended("error", 0.5);
  const queue = new WorkQueue({ clock, observer: observer.queue });
  for (const key of ["a", "b", "c"]) queue.add(key);
  clock.pass(50);
  await queue.take();
  await queue.take();
  clock.pass(2_000);
  queue.retry("a");
  queue.done("b");
  return registry;
}

type Shape = Record<string, string>;

async function shapesOf(registry: Registry): Promise<Shape> {
  const metrics = await registry.getMetricsAsJSON();
  return Object.fromEntries(
    metrics.map(({ name, type, values }) => {
      const labels = new Set(values.flatMap((value) => Object.keys(value.labels)).filter((label) => label !== "le"));
      return [name, `${type} ${[...labels].sort().join(",")}`];
    }),
  );
}

describe("metrics", () => {
  it("have the names, types and labels of controller-runtime and client-go", async () => {
    assert.deepEqual(sorted(await shapesOf(await useAll())), sorted({ ...known, ...own }));
  });

  it("have their buckets", async () => {
    const text = await (await useAll()).metrics();
    const bounds = (name: string) =>
      [...text.matchAll(new RegExp(`${name}_bucket{le="([^"]+)"`, "g"))].map(([, le]) => le);
    assert.deepEqual(bounds("workqueue_queue_duration_seconds").map(Number).slice(0, 3), [1e-8, 1e-7, 1e-6]);
    assert.equal(bounds("workqueue_work_duration_seconds").at(-2), "1000");
    assert.equal(bounds("controller_runtime_reconcile_time_seconds").length, 41);
    assert.deepEqual(bounds("rest_client_request_duration_seconds").slice(0, 2), ["0.005", "0.025"]);
  });

  it("say what happened", async () => {
    const text = await (await useAll()).metrics();
    const lines = [
      'workqueue_depth{name="things",controller="things"} 1',
      'workqueue_adds_total{name="things",controller="things"} 3',
      'workqueue_retries_total{name="things",controller="things"} 1',
      'workqueue_unfinished_work_seconds{name="things",controller="things"} 2',
      'workqueue_longest_running_processor_seconds{name="things",controller="things"} 2',
      'workqueue_queue_duration_seconds_sum{name="things",controller="things"} 0.1',
      'workqueue_work_duration_seconds_sum{name="things",controller="things"} 2',
      'controller_runtime_reconcile_total{controller="things",result="error"} 1',
      'controller_runtime_reconcile_total{controller="things",result="success"} 0',
      'controller_runtime_reconcile_errors_total{controller="things"} 1',
      'controller_runtime_active_workers{controller="things"} 1',
      'controller_runtime_max_concurrent_reconciles{controller="things"} 4',
      'leader_election_master_status{name="operator"} 1',
      'rest_client_requests_total{code="200",method="GET",host="127.0.0.1:6443"} 1',
      'reflector_short_watches_total{name="things.example.dev"} 1',
    ];
    for (const line of lines) assert.ok(text.includes(`${line}\n`), line);
  });
});

const sorted = (shape: Shape): [string, string][] => Object.entries(shape).sort();
