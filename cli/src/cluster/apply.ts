import { findDefinition } from "@copepod/crds/kinds";
import { ApiError } from "@copepod/kube/errors";
import { isRecord, type KubeObject } from "@copepod/kube/object";
import { ExitError } from "../exit-codes.ts";
import { textAt } from "../output/value-at.ts";
import { getIfThere, resourceOf } from "./objects.ts";
import { type Cluster, fieldManager } from "./open-cluster.ts";

export interface Applied {
  readonly kind: string;
  readonly name: string;
  readonly result: "created" | "configured" | "unchanged";
}

export interface ApplyingOptions {
  /** Takes over fields that somebody else has set. */
  readonly force?: boolean;
  readonly dryRun?: boolean;
}

/**
 * Applies a resource on the server's side, with the person's own rights. It goes to the namespace that it names, else to that
 * of agents.
 * @param document as it was written, and parsed before.
 * @throws ApiError; ExitError `conflict` that names the fields and who has set them
 */
export async function applyToCluster(
  { client, namespace }: Pick<Cluster, "client" | "namespace">,
  document: Readonly<Record<string, unknown>>,
  options: ApplyingOptions = {},
): Promise<Applied> {
  const [kind = "", name = ""] = [textAt(document, ".kind"), textAt(document, ".metadata.name")];
  const definition = findDefinition(kind);
  if (!definition) throw new Error(`${kind} was not checked`);
  const resource = resourceOf(definition);
  const { status, metadata, ...decided } = document;
  const place = { name, namespace: textAt(document, ".metadata.namespace") ?? namespace };
  const object: KubeObject = { ...decided, metadata: { ...(isRecord(metadata) && metadata), ...place } };
  const before = await getIfThere(client, resource, place);
  const after = await client.apply(resource, object, { fieldManager, ...options }).catch((error) => {
    throw explain(error, `${kind.toLowerCase()}/${name}`);
  });
  if (!before) return { kind, name, result: "created" };
  const isSame = before.metadata.resourceVersion === after.metadata.resourceVersion;
  return { kind, name, result: isSame ? "unchanged" : "configured" };
}

/** Fields that an error names. */
const maxFieldsTold = 5;

function explain(error: unknown, what: string): unknown {
  if (!(error instanceof ApiError) || error.status !== 409 || error.causes.length === 0) return error;
  const fields = error.causes.slice(0, maxFieldsTold).map(({ field, message }) => {
    const owner = /"([^"]+)"/.exec(message)?.[1];
    return `${field}${owner === undefined ? "" : ` (by ${owner})`}`;
  });
  const more = error.causes.length > maxFieldsTold ? " and others" : "";
  return new ExitError("conflict", "conflict", {
    message: `${what}: somebody else has set other values: ${fields.join(", ")}${more}`,
    cure: "Leave these fields out of your file, or write the present values. `--force-conflicts` takes them over.",
  });
}
