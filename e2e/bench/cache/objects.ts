import { setTimeout } from "node:timers/promises";
import type { KubeClient } from "@copepod/kube/client/client";
import { type KubeObject, parseKey, type Resource } from "@copepod/kube/object";
import { until } from "../../support/until.ts";
import type { BenchContext } from "../bench.ts";

export const namespace = "default";
/** Says when a change was asked for, in ns of the machine's monotonic clock, which all processes share. */
export const sentAtAnnotation = "example.com/sent-at";

export const errands: Resource = {
  group: "bench.example.com",
  version: "v1",
  kind: "Errand",
  plural: "errands",
  namespaced: true,
};

const definitions: Resource = {
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  namespaced: false,
};

/** Writes at the same time: more do not make the API server faster on two cores. */
const writers = 32;
const sayEveryMs = 5_000;
/** Changes at the same time: few, so that none waits for another in this process. */
const changers = 4;
/** From one changed object to the next, so that they lie all over the list. */
const stride = 7_919;
/** Of owners, images and the like: what the objects of one kind have in common. */
const owners = 50;

export const nameOf = (number: number): string => `errand-${number}`;

export async function define(client: KubeClient): Promise<void> {
  const loose = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  await client.apply(
    definitions,
    {
      metadata: { name: `${errands.plural}.${errands.group}` },
      spec: {
        group: errands.group,
        scope: "Namespaced",
        names: { kind: errands.kind, plural: errands.plural, singular: "errand", listKind: "ErrandList" },
        versions: [
          {
            name: errands.version,
            served: true,
            storage: true,
            subresources: { status: {} },
            schema: { openAPIV3Schema: { type: "object", properties: { spec: loose, status: loose } } },
          },
        ],
      },
    },
    { fieldManager: "bench" },
  );
  await until("the kind is served", async () => await client.page(errands, { limit: 1 }).catch(() => undefined));
}

/** In two writes, as an object and its status come to be: each has its `managedFields`. */
export async function fill(client: KubeClient, count: number, { say, signal }: BenchContext): Promise<void> {
  const startedAt = performance.now();
  let made = 0;
  let saidAt = startedAt;
  const makeNext = async (): Promise<void> => {
    for (let number = made++; number < count && !signal.aborted; number = made++) {
      await make(client, number);
      if (performance.now() - saidAt < sayEveryMs) continue;
      saidAt = performance.now();
      const leftMs = ((saidAt - startedAt) / made) * (count - made);
      say(`${made} of ${count} objects made, ${Math.round(leftMs / 1_000)} s left …`);
    }
  };
  await Promise.all(Array.from({ length: writers }, makeNext));
  signal.throwIfAborted();
}

async function make(client: KubeClient, number: number): Promise<void> {
  await client.create(errands, errand(number));
  const target = { namespace, name: nameOf(number), subresource: "status" };
  await client.mergePatch(errands, target, { status: status(number) });
}

function errand(number: number): KubeObject {
  const group = `group-${number % owners}`;
  return {
    metadata: {
      namespace,
      name: nameOf(number),
      labels: {
        "app.kubernetes.io/managed-by": "bench-operator",
        "example.com/agent-group": group,
        "example.com/channel": "terminal",
      },
      annotations: { "example.com/woken-by": "message", [sentAtAnnotation]: "0" },
      ownerReferences: [
        {
          apiVersion: `${errands.group}/${errands.version}`,
          kind: "AgentGroup",
          name: group,
          uid: `5b1f2c3a-0d4e-4f6a-9b7c-${String(number % owners).padStart(12, "0")}`,
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
    },
    spec: {
      agentGroup: group,
      conversation: `terminal:${String(number).padStart(24, "c")}`,
      image: "registry.example.com/copepod/agent-image:v0.1.0",
      wake: { wanted: number % 3 === 0, epoch: number % 7 },
      environment: { LANG: "C.UTF-8", NODE_OPTIONS: "--max-old-space-size=256" },
    },
  };
}

const status = (number: number) => ({
  podName: `${nameOf(number)}-0`,
  observedGeneration: 1,
  conditions: ["Ready", "Asleep"].map((type) => ({
    type,
    status: number % 3 === 0 ? "True" : "False",
    reason: "PodIsAsWanted",
    message: "the pod is as the wish says",
    lastTransitionTime: "2026-01-02T03:04:05Z",
    observedGeneration: 1,
  })),
});

interface Changes {
  readonly count: number;
  /** How many objects there are. */
  readonly of: number;
  readonly perSecond: number;
  readonly signal: AbortSignal;
}

/** Changes objects in even intervals, or slower where the server is. @returns how long each write took, in ms */
export async function change(client: KubeClient, { count, of, perSecond, signal }: Changes): Promise<number[]> {
  const startedAt = performance.now();
  const millis: number[] = [];
  const changeEach = async (first: number): Promise<void> => {
    for (let number = first; number < count && !signal.aborted; number += changers) {
      const waitMs = startedAt + (number / perSecond) * 1_000 - performance.now();
      if (waitMs > 0) await setTimeout(waitMs);
      const sentAt = performance.now();
      const annotations = { [sentAtAnnotation]: String(process.hrtime.bigint()) };
      const target = parseKey(`${namespace}/${nameOf((number * stride) % of)}`);
      await client.mergePatch(errands, target, { metadata: { annotations } });
      millis.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: changers }, (_, first) => changeEach(first)));
  return millis;
}
