import { credentialDefinition } from "@copepod/crds/credential";
import { resourceOf } from "../cluster/objects.ts";
import { type Context, print } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { valueAt } from "../output/value-at.ts";
import { requireCluster } from "./require-target.ts";

/** Raises the revision of a Credential, upon which the operator has the kubelet bring its keys up to date. */
export async function rotate(
  context: Context,
  name: string,
  { output }: { readonly output?: "json" },
): Promise<number> {
  const { client, namespace } = requireCluster(context, "`credential rotate`");
  const resource = resourceOf(credentialDefinition);
  const before = await client.get(resource, { namespace, name });
  const revision = Number(valueAt(before, ".spec.revision") ?? 0) + 1;
  // As it was read: of two who rotate at the same time one is told so.
  const target = { namespace, name, ...pick(before.metadata.resourceVersion) };
  await client.mergePatch(resource, target, { spec: { revision } });
  if (output === "json") print(context, JSON.stringify({ name, revision }, null, 2));
  else print(context, `credential/${name} has revision ${revision}`);
  return exitCodes.ok;
}

const pick = (resourceVersion: string | undefined) => (resourceVersion === undefined ? {} : { resourceVersion });
