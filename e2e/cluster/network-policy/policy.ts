import { type KubeObject, keyOf } from "@copepod/kube/object";
import { z } from "zod";
import { type Selector, selectorSchema } from "./selector.ts";

const portSchema = z.strictObject({
  protocol: z.enum(["TCP", "UDP"]).default("TCP"),
  port: z.union([z.int(), z.string()]).optional(),
  endPort: z.int().optional(),
});

/** A range of IPv6 is read, and stands for nobody: no pod here has such an address. */
const blockSchema = z.union([
  z.strictObject({ cidr: z.cidrv4(), except: z.array(z.cidrv4()).default([]) }),
  z.strictObject({ cidr: z.cidrv6(), except: z.array(z.cidrv6()).default([]) }),
]);

const peerSchema = z.strictObject({
  podSelector: selectorSchema.optional(),
  namespaceSelector: selectorSchema.optional(),
  ipBlock: blockSchema.optional(),
});

const portsSchema = z.array(portSchema).default([]);
/** A name stands for another number in each pod that is spoken to, and for none in an ipBlock. */
const numberedPortsSchema = z
  .array(portSchema.refine(({ port }) => typeof port !== "string", "a named port in an egress rule is not supported"))
  .default([]);
const peersSchema = z.array(peerSchema).default([]);

const specSchema = z.strictObject({
  podSelector: selectorSchema,
  policyTypes: z.array(z.enum(["Ingress", "Egress"])).optional(),
  ingress: z.array(z.strictObject({ from: peersSchema, ports: portsSchema })).default([]),
  egress: z.array(z.strictObject({ to: peersSchema, ports: numberedPortsSchema })).default([]),
});

export type Peer = z.infer<typeof peerSchema>;
export type Port = z.infer<typeof portSchema>;

export interface Rule {
  /** Empty: everybody. */
  readonly peers: readonly Peer[];
  /** Empty: every port of every protocol. */
  readonly ports: readonly Port[];
}

export interface Policy {
  /** `namespace/name`. */
  readonly key: string;
  readonly namespace: string;
  readonly selector: Selector;
  /** Undefined: does not isolate in this direction. Empty: isolates, and allows nothing. */
  readonly ingress: readonly Rule[] | undefined;
  readonly egress: readonly Rule[] | undefined;
  /** A sentence, when the policy asks for something that is not done here. */
  readonly refusal: string | undefined;
}

export type Direction = "ingress" | "egress";

/**
 * A policy that asks for something unknown here isolates its pods and allows nothing: policies only ever add what is allowed,
 * so whatever is guessed too small shows at once, and whatever is guessed too large would never show.
 */
export function parsePolicy({ metadata, spec }: KubeObject): Policy {
  const namespace = metadata.namespace ?? "";
  const place = { key: keyOf({ namespace, name: metadata.name ?? "" }), namespace };
  const parsed = specSchema.safeParse(spec);
  if (!parsed.success) return refused(place, spec, parsed.error);
  const { podSelector, policyTypes, ingress, egress } = parsed.data;
  const types = policyTypes ?? ["Ingress", ...(egress.length > 0 ? ["Egress"] : [])];
  return {
    ...place,
    selector: podSelector,
    ingress: types.includes("Ingress") ? ingress.map(({ from, ports }) => ({ peers: from, ports })) : undefined,
    egress: types.includes("Egress") ? egress.map(({ to, ports }) => ({ peers: to, ports })) : undefined,
    refusal: undefined,
  };
}

/** Whom it would have isolated, where that can be read; else all pods of its namespace. */
const refusedSchema = z.object({ podSelector: selectorSchema.catch({ matchLabels: {}, matchExpressions: [] }) });

function refused(place: Pick<Policy, "key" | "namespace">, spec: unknown, error: z.ZodError): Policy {
  const causes = error.issues.map(({ path, message }) => `${["spec", ...path].join(".")}: ${message}`);
  const readable = refusedSchema.safeParse(spec);
  return {
    ...place,
    selector: readable.data?.podSelector ?? { matchLabels: {}, matchExpressions: [] },
    ingress: [],
    egress: [],
    refusal: `${place.key} is not enforced as written, its pods may neither send nor receive by it: ${causes.join("; ")}`,
  };
}
