import { CopepodError } from "@copepod/core/errors";
import { credentialDefinition } from "@copepod/crds/credential";
import { isNotFound } from "@copepod/kube/errors";
import { isRecord, type KubeObject } from "@copepod/kube/object";
import { applyToCluster } from "../cluster/apply.ts";
import { secrets } from "../cluster/kinds.ts";
import { listObjects } from "../cluster/objects.ts";
import type { Cluster } from "../cluster/open-cluster.ts";
import { type Context, print, tell } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { defaultKey, type KeyRef } from "../home/keys.ts";
import { isKnownModel, knownCredential, knownModels } from "../home/known-models.ts";
import { renderTable } from "../output/table.ts";
import { textAt, valueAt } from "../output/value-at.ts";

/** On Secrets that this program has made: such a one goes with its last key. */
const madeHere = { "app.kubernetes.io/managed-by": "copepod" };

/** Writes a key into a Secret of the namespace of agents; other keys of that Secret stay. */
export async function addClusterKey(
  context: Context,
  { cluster, ref, value }: { readonly cluster: Cluster; readonly ref: KeyRef; readonly value: string },
): Promise<number> {
  const isNew = await writeSecret(cluster, ref, value);
  print(context, `key ${ref.name}/${ref.key} ${isNew ? "stored" : "replaced"}`);
  const users = usersOf(ref, await listObjects(cluster, credentialDefinition));
  if (users.length > 0 && !isNew) {
    tell(context, `Pods that run take it within a minute; at once with \`credential rotate ${users[0]}\`.`);
  }
  if (users.length > 0) return exitCodes.ok;
  if (!isKnownModel(ref.name) || ref.key !== defaultKey) {
    tell(context, "It is used when a Credential refers to it (docs/agents.md), by this field in its spec:");
    tell(context, `  secretRef: {name: ${ref.name}, key: ${ref.key}}`);
    return exitCodes.ok;
  }
  const { result } = await applyToCluster(cluster, knownCredential(ref.name));
  tell(context, `credential/${ref.name} ${result}. An agent uses it with these fields in the spec of its AgentGroup:`);
  tell(context, `  agent: {provider: ${knownModels[ref.name].provider}}`);
  tell(context, `  credentials: [${ref.name}]`);
  return exitCodes.ok;
}

/** @returns whether the Secret is new */
export async function writeSecret(
  { client, namespace }: Cluster,
  { name, key }: KeyRef,
  value: string,
): Promise<boolean> {
  const data = { [key]: Buffer.from(value).toString("base64") };
  try {
    await client.mergePatch(secrets, { namespace, name }, { data });
    return false;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client.create(secrets, { metadata: { namespace, name, labels: madeHere }, type: "Opaque", data });
    return true;
  }
}

/** Which keys Credentials want, and whether they have them. Secrets are not read: who may list them may see them. */
export async function showClusterKeys(
  context: Context,
  cluster: Cluster,
  { output }: { readonly output?: "json" },
): Promise<number> {
  const items = (await listObjects(cluster, credentialDefinition)).flatMap((credential) => {
    const name = textAt(credential, ".spec.secretRef.name");
    if (name === undefined) return [];
    const ready = textAt(credential, '.status.conditions[?(@.type=="Ready")].status');
    const [key, used] = [textAt(credential, ".spec.secretRef.key") ?? defaultKey, textAt(credential, ".metadata.name")];
    return [{ name, key, credential: used, ready }];
  });
  if (output === "json") print(context, JSON.stringify({ items }, null, 2));
  else if (items.length === 0) tell(context, "No Credential wants a key. `keys add <name>` stores one.");
  else {
    const columns = (["name", "key", "credential", "ready"] as const).map((field) => ({
      heading: field,
      cell: (item: (typeof items)[number]) => item[field],
    }));
    print(context, renderTable(columns, items, false));
  }
  return exitCodes.ok;
}

/** Takes a key out of its Secret. */
export async function dropClusterKey(context: Context, cluster: Cluster, ref: KeyRef): Promise<number> {
  const { client, namespace } = cluster;
  const secret = { namespace, name: ref.name };
  const left = await client.mergePatch(secrets, secret, { data: { [ref.key]: null } }).catch((error) => {
    throw isNotFound(error) ? new CopepodError("notFound", `there is no Secret "${ref.name}"`) : error;
  });
  const data = valueAt(left, ".data");
  const isEmpty = !isRecord(data) || Object.keys(data).length === 0;
  const [label, value] = Object.entries(madeHere)[0] ?? [];
  if (isEmpty && label !== undefined && left.metadata.labels?.[label] === value) await client.delete(secrets, secret);
  print(context, `key ${ref.name}/${ref.key} removed`);
  const users = usersOf(ref, await listObjects(cluster, credentialDefinition));
  if (users.length > 0) {
    tell(context, `Requests that need it fail from now on: the Credential ${users.join(", ")} refers to it.`);
  }
  return exitCodes.ok;
}

const usersOf = ({ name, key }: KeyRef, credentials: readonly KubeObject[]): string[] =>
  credentials
    .filter((one) => textAt(one, ".spec.secretRef.name") === name)
    .filter((one) => (textAt(one, ".spec.secretRef.key") ?? defaultKey) === key)
    .map((one) => textAt(one, ".metadata.name") ?? "");
