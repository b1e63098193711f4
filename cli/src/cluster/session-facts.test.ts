import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { apiVersion } from "@copepod/crds/definition";
import { FakeApiServer } from "../testing/fake-api-server.ts";
import type { SessionFacts } from "./facts.ts";
import { openCluster } from "./open-cluster.ts";
import { gatherFacts } from "./session-facts.ts";

const name = "helper-0123456789ab";
const of = (kind: string) => `/apis/${apiVersion}/namespaces/agents/${kind}`;
const paths = {
  session: `${of("sessions")}/${name}`,
  group: `${of("agentgroups")}/helper`,
  pods: "/api/v1/namespaces/agents/pods",
  programs: "/api/v1/namespaces/copepod/pods",
  lease: "/apis/coordination.k8s.io/v1/namespaces/copepod/leases/copepod-operator",
};
const now = Date.parse("2026-01-01T00:01:00Z");
const clock = { now: () => now, monotonic: () => 0, after: () => () => {} };
const session = { metadata: { name }, spec: { group: "helper", wake: { wanted: true, epoch: 2 } } };
const list = (...items: object[]) => ({ metadata: { resourceVersion: "1" }, items });

describe("what is found of a session", () => {
  let api: FakeApiServer;
  beforeEach(async () => {
    api = await FakeApiServer.start("/nowhere");
    api.routerState = undefined;
  });
  afterEach(() => api[Symbol.asyncDispose]());

  async function gather(objects: FakeApiServer["objects"]): Promise<SessionFacts> {
    api.objects = objects;
    const cluster = await openCluster({ kubeconfigs: [api.kubeconfig] }, { version: "1", clock });
    try {
      return await gatherFacts(cluster, name);
    } finally {
      await cluster.close();
    }
  }

  it("is all of it, where all is there", async () => {
    const ready = { type: "Ready", status: "False", reason: "NotReady", message: "No volume." };
    const facts = await gather({
      [paths.session]: session,
      [paths.group]: { metadata: { name: "helper" }, spec: {}, status: { conditions: [ready] } },
      [paths.pods]: list({ metadata: { name: `${name}-1` } }, { metadata: { name: `${name}-2` } }),
      [paths.lease]: { metadata: {}, spec: { renewTime: "2026-01-01T00:00:40.000000Z" } },
    });
    assert.match(facts.routerTrouble ?? "", /has no router/);
    assert.partialDeepStrictEqual(facts, {
      session: { wanted: true, wantedEpoch: 2, phase: "Asleep" },
      group: { suspended: false, trouble: "No volume." },
      pod: { epoch: 2 },
      operator: { trouble: 'the namespace "copepod" has no pod of it', leaseAgeMs: 20_000 },
    });
  });

  it("is missing where it does not exist", async () => {
    const { session, group, pod, operator } = await gather({ [paths.pods]: list() });
    assert.deepEqual([session, group, pod, operator.leaseAgeMs], Array(4).fill("missing"));
  });

  it("is forbidden where the person may not look, which is no word on whether it exists", async () => {
    const { pods, programs, lease } = paths;
    const refused = Object.fromEntries(
      [paths.group, pods, programs, lease].map((path) => [path, "forbidden"] as const),
    );
    const { group, pod, operator } = await gather({ ...refused, [paths.session]: session });
    assert.deepEqual([group, pod, operator.leaseAgeMs, operator.trouble], [...Array(3).fill("forbidden"), undefined]);
    assert.equal((await gather({ ...refused, [paths.session]: "forbidden" })).session, "forbidden");
  });
});
