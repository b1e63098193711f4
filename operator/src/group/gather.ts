import { groupObjectName, labels } from "@copepod/core/cluster";
import type { AgentGroup } from "@copepod/crds/agent-group";
import type { Credential } from "@copepod/crds/credential";
import { type RenderedRules, renderProxyRules } from "@copepod/crds/proxy-rules";
import { keyOf } from "@copepod/kube/object";
import { z } from "zod";
import type { Caches, Parts } from "../parts.ts";
import type { Seen } from "../seen.ts";
import { sessionPodLabels } from "./egress.ts";
import { foreignPolicies } from "./foreign-policies.ts";
import { type PrivateUpstream, privateUpstream } from "./upstreams.ts";

/** How many sessions an agent group has, and how many of them are what. */
export interface Counts {
  readonly sessions: number;
  readonly awake: number;
  /** Asleep, although messages wait. */
  readonly waiting: number;
}

export interface NamedParts {
  readonly credentials: ReadonlyMap<string, Seen<Credential>>;
  readonly workspaces: ReadonlyMap<string, Seen<unknown>>;
  readonly rendered: RenderedRules;
  readonly upstreams: readonly PrivateUpstream[];
}

/** What a group names, as far as it is there. */
export function gatherNamed({ metadata, spec }: AgentGroup, { caches }: Pick<Parts, "caches">): NamedParts {
  const { namespace } = metadata;
  const credentials = pick(spec.credentials, (name) => caches.credentials.get(keyOf({ namespace, name })));
  const names = spec.teamWorkspaces.map(({ name }) => name);
  const readable = [...credentials].flatMap(([name, { resource }]) =>
    resource ? [[keyOf({ namespace, name }), resource] as const] : [],
  );
  return {
    credentials,
    workspaces: pick(names, (name) => caches.workspaces.get(keyOf({ namespace, name }))),
    rendered: renderProxyRules({ metadata, spec }, new Map(readable)),
    upstreams: readable.flatMap(([, credential]) => privateUpstream(credential) ?? []),
  };
}

export function countSessions(key: string, { caches }: Pick<Parts, "caches">): Counts {
  const statuses = caches.sessions.byIndex("group", key).map(({ status }) => status);
  const waiting = statuses.filter(({ phase = "Asleep", pending }) => phase === "Asleep" && Number(pending ?? 0) > 0);
  const awake = statuses.filter(({ phase }) => phase === "Awake");
  return { sessions: statuses.length, awake: awake.length, waiting: waiting.length };
}

const labelsSchema = z.record(z.string(), z.string()).catch({});

/** Policies of others that open what the group's own closes, for the pods there are and for those to come. */
export function findForeignPolicies(
  { metadata, spec }: AgentGroup,
  { caches }: Pick<Parts, "caches">,
): readonly string[] {
  const { namespace, name } = metadata;
  const ownLabels = { ...labelsSchema.parse(spec.session.podOverrides?.labels), ...sessionPodLabels(name) };
  const pods = caches.pods.byIndex("group", keyOf({ namespace, name }));
  const podLabels = [ownLabels, ...pods.map((pod) => pod.metadata.labels ?? {})];
  const policies = [...caches.networkPolicies.values()].filter((policy) => policy.metadata.namespace === namespace);
  return foreignPolicies(policies, { own: groupObjectName(name), podLabels });
}

/** Names of the namespace's groups whose spec is so, in their order. */
export const groupsThat = (
  { groups }: Pick<Caches, "groups">,
  namespace: string | undefined,
  isSo: (spec: AgentGroup["spec"]) => boolean,
): string[] =>
  [...groups.values()]
    .filter(({ metadata, resource }) => metadata.namespace === namespace && resource && isSo(resource.spec))
    .flatMap(({ metadata }) => metadata.name ?? [])
    .sort();

/** The group that an object is labelled with. */
export const groupOf = (object: { readonly metadata: { readonly labels?: Readonly<Record<string, string>> } }) =>
  object.metadata.labels?.[labels.group];

const pick = <T>(names: readonly string[], find: (name: string) => T | undefined): ReadonlyMap<string, T> =>
  new Map(
    names.flatMap((name) => {
      const found = find(name);
      return found === undefined ? [] : [[name, found] as const];
    }),
  );
