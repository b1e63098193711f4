import type { KubeObject } from "@copepod/kube/object";
import { z } from "zod";
import type { Labels } from "./selector.ts";

export interface Pod {
  readonly namespace: string;
  readonly labels: Labels;
  /** IPv4. Undefined where no policy applies: it has none yet, it has ended, or its address is the node's. */
  readonly address: string | undefined;
  /** Its address may belong to another pod before it is gone. */
  readonly isLeaving: boolean;
  readonly namedPorts: readonly NamedPort[];
}

export interface NamedPort {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
}

export interface Namespace {
  readonly name: string;
  readonly labels: Labels;
}

const containersSchema = z
  .array(
    z.object({
      ports: z
        .array(z.object({ name: z.string().optional(), protocol: z.string().default("TCP"), containerPort: z.int() }))
        .default([]),
    }),
  )
  .default([]);

const podSchema = z.object({
  spec: z.object({
    hostNetwork: z.boolean().default(false),
    containers: containersSchema,
    initContainers: containersSchema,
  }),
  status: z.object({ phase: z.string().optional(), podIP: z.ipv4().optional().catch(undefined) }).default({}),
});

export function parsePod(object: KubeObject): Pod {
  const { spec, status } = podSchema.parse(object);
  const hasEnded = status.phase === "Succeeded" || status.phase === "Failed";
  return {
    namespace: object.metadata.namespace ?? "",
    labels: object.metadata.labels ?? {},
    address: spec.hostNetwork || hasEnded ? undefined : status.podIP,
    isLeaving: object.metadata.deletionTimestamp !== undefined,
    namedPorts: [...spec.containers, ...spec.initContainers]
      .flatMap(({ ports }) => ports)
      .flatMap(({ name, protocol, containerPort }) =>
        name === undefined ? [] : [{ name, protocol, port: containerPort }],
      ),
  };
}

export const parseNamespace = ({ metadata }: KubeObject): Namespace => ({
  name: metadata.name ?? "",
  labels: metadata.labels ?? {},
});
