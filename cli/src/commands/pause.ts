import { keyOf } from "@copepod/core/addresses";
import type { ResourceView } from "@copepod/core/admin-api";
import { CopepodError } from "@copepod/core/errors";
import { agentGroupDefinition } from "@copepod/crds/agent-group";
import type { Definition } from "@copepod/crds/definition";
import { sessionDefinition } from "@copepod/crds/session";
import { isNotFound } from "@copepod/kube/errors";
import { z } from "zod";
import { listObjects, resourceOf } from "../cluster/objects.ts";
import type { Cluster } from "../cluster/open-cluster.ts";
import { type Context, print, tell } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { homeLayout } from "../home/layout.ts";
import { readWritten } from "../home/read-resources.ts";
import { textAt } from "../output/value-at.ts";
import { requireCluster } from "./require-target.ts";

export interface PauseOptions {
  readonly suspended: boolean;
  readonly output?: "json";
}

interface Changed {
  readonly kind: string;
  readonly name: string;
  readonly suspended: boolean;
}

type Subject = { readonly definition: Definition; readonly name: string | undefined };

/** Says of agent groups, or of a session, whether they stay asleep whatever waits. */
export async function setSuspended(
  context: Context,
  [what, name]: readonly (string | undefined)[],
  { suspended, output }: PauseOptions,
): Promise<number> {
  const subject = subjectOf(what, name);
  if (subject.definition === sessionDefinition) requireCluster(context, "Pausing one session");
  const { cluster } = context;
  const names = cluster
    ? await suspendInCluster(cluster, subject, suspended)
    : await suspendHere(context, subject.name, suspended);
  const kind = subject.definition.kind.toLowerCase();
  const items: Changed[] = names.map((one) => ({ kind, name: one, suspended }));
  if (output === "json") print(context, JSON.stringify({ items }, null, 2));
  else for (const one of items) print(context, `${one.kind}/${one.name} ${suspended ? "paused" : "resumed"}`);
  if (items.length === 0) tell(context, "There is no agent group.");
  return exitCodes.ok;
}

function subjectOf(what: string | undefined, name: string | undefined): Subject {
  if (what === "all" && name === undefined) return { definition: agentGroupDefinition, name };
  if (what === "group" && name !== undefined) return { definition: agentGroupDefinition, name };
  if (what === "session" && name !== undefined) return { definition: sessionDefinition, name };
  throw new CopepodError("invalid", "write `all`, `group <name>` or `session <name>`");
}

async function suspendInCluster(
  cluster: Cluster,
  { definition, name }: Subject,
  suspended: boolean,
): Promise<readonly string[]> {
  const { client, namespace } = cluster;
  const all = name === undefined ? await listObjects(cluster, definition) : [];
  const names = name === undefined ? all.map((object) => textAt(object, ".metadata.name") ?? "") : [name];
  for (const one of names) {
    await client
      .mergePatch(resourceOf(definition), { namespace, name: one }, { spec: { suspended } })
      .catch((error) => {
        throw isNotFound(error) ? missing(definition.kind, one) : error;
      });
  }
  return names;
}

async function suspendHere(context: Context, name: string | undefined, suspended: boolean): Promise<readonly string[]> {
  const { admin, namespace, close } = await context.connect(context.settings);
  try {
    const { items } = await admin.listResources({ kind: "AgentGroup", namespace });
    const found = items.filter(({ metadata }) => name === undefined || metadata.name === name);
    if (name !== undefined && found.length === 0) throw missing("AgentGroup", name);
    const written = (await readWritten(homeLayout(context.settings.home).resources)) ?? [];
    for (const group of found) {
      const file = written.find(({ resource: { kind, metadata } }) => isSame({ kind, metadata }, group));
      await admin.applyResource({ resource: withSuspended(file?.document ?? group, suspended) });
    }
    return found.map(({ metadata }) => metadata.name);
  } finally {
    await close();
  }
}

const isSame = (one: Pick<ResourceView, "kind" | "metadata">, other: typeof one): boolean =>
  one.kind === other.kind &&
  keyOf(one.metadata.namespace, one.metadata.name) === keyOf(other.metadata.namespace, other.metadata.name);

const groupSchema = z.looseObject({ spec: z.looseObject({}) });

function withSuspended(group: unknown, suspended: boolean) {
  const { spec, status: _, ...rest } = groupSchema.parse(group);
  return { ...rest, spec: { ...spec, suspended } };
}

const missing = (kind: string, name: string): CopepodError =>
  new CopepodError("notFound", `${kind.toLowerCase()} "${name}" does not exist`);
