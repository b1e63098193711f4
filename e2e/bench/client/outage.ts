import { setTimeout as delay } from "node:timers/promises";
import { Reflector } from "@copepod/kube/cache/reflector";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { systemClock } from "@copepod/kube/clock";
import type { ControlPlane } from "../../cluster/control-plane/control-plane.ts";
import { adminRequest } from "../../cluster/pki/pki.ts";
import { HttpFaults } from "../../kube/support/http-faults.ts";
import { until } from "../../support/until.ts";
import type { BenchContext } from "../bench.ts";
import { configMaps } from "./candidate.ts";

const namespace = "default";
const name = "outage";

/** A cache through a time in which every answer is 503. */
export async function measureOutage(
  plane: ControlPlane,
  seconds: number,
  { say, signal }: BenchContext,
): Promise<Record<string, number>> {
  await using faults = await HttpFaults.start(plane);
  const { certificate: cert, key } = await plane.pki.issue(adminRequest);
  const deps = { clock: systemClock, random: Math.random };
  const connectTo = (server: string) =>
    createKubeClient({
      identity: async () => ({ endpoint: { server, ca: plane.pki.authority, cert, key }, headers: {} }),
      userAgent: "bench/1",
      ...deps,
    });
  const [client, writer] = [connectTo(faults.url), connectTo(plane.server)];
  const stop = new AbortController();
  let lists = 0;
  const reflector = new Reflector(
    { resource: configMaps, namespace, fieldSelector: `metadata.name=${name}`, transform: ({ data }) => data },
    {
      ...deps,
      client,
      log: { debug: () => {}, info: () => {}, warn: () => {} },
      observer: { listed: () => void lists++, watched: () => {}, failed: () => {}, threw: () => {} },
    },
  );
  const write = (value: string) =>
    writer.apply(configMaps, { metadata: { namespace, name }, data: { value } }, { fieldManager: "bench" });
  const seen = (value: string) =>
    JSON.stringify(reflector.cache.get(`${namespace}/${name}`)) === JSON.stringify({ value });
  const running = reflector.run(stop.signal);
  try {
    await write("before");
    await until("the object in the cache", () => seen("before"));
    say(`${seconds} s of 503 …`);
    const listsBefore = lists;
    faults.answer = () => ({ status: 503 });
    faults.reset();
    const asked = faults.requests.length;
    await delay(seconds * 1_000, undefined, { signal });
    await write("after");
    const requests = faults.requests.length - asked;
    faults.answer = () => undefined;
    const servedAt = performance.now();
    await until("the event after the outage", () => seen("after"), 120_000);
    const nextEventMs = performance.now() - servedAt;
    return {
      outage_seconds: seconds,
      outage_requests: requests,
      outage_next_event_ms: nextEventMs,
      outage_relists: lists - listsBefore,
    };
  } finally {
    stop.abort();
    await running;
    await Promise.all([client.close(), writer.close()]);
  }
}
