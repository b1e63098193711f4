import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { defaultNamespace, keyOf } from "@copepod/core/addresses";
import type { Credential } from "@copepod/crds/credential";
import { renderProxyRules } from "@copepod/crds/proxy-rules";
import { stringify } from "yaml";
import { type Context, print, tell } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import {
  checkKeyRef,
  checkKeyValue,
  defaultKey,
  hasKey,
  type KeyRef,
  listKeys,
  oddities,
  removeKey,
  writeKey,
} from "../home/keys.ts";
import { isKnownModel, type KnownModelName, knownCredential, knownModels } from "../home/known-models.ts";
import { homeLayout } from "../home/layout.ts";
import { writingHome } from "../home/make-folder.ts";
import { readResources } from "../home/read-resources.ts";
import { renderAge, renderTable } from "../output/table.ts";
import { addClusterKey, dropClusterKey, showClusterKeys } from "./cluster-keys.ts";
import { readSecret } from "./read-secret.ts";

export interface KeyOptions {
  readonly key?: string;
}

/** Stores a key that is typed without an echo, or piped in. Needs no running system; a proxy that runs reads it at its next request. */
export async function addKey(context: Context, name: string, { key = defaultKey }: KeyOptions): Promise<number> {
  const { keys, resources } = homeLayout(context.settings.home);
  const ref = checkKeyRef({ name, key });
  const value = checkKeyValue(await readSecret(context.io, `Key "${name}" (it is not shown): `));
  const { cluster } = context;
  if (cluster) return await addClusterKey(context, { cluster, ref, value });
  const isKnown = await hasKey(keys, ref);
  await writingHome(context.settings.home, () => writeKey(keys, ref, value));
  print(context, `key ${textOf(ref)} ${isKnown ? "replaced" : "stored"}`);
  for (const sentence of oddities(value)) tell(context, sentence);
  if (isKnownModel(name) && key === defaultKey) await offerCredential(context, resources, name);
  else await tellUse(context, resources, ref);
  return exitCodes.ok;
}

/** All keys, never their values. */
export async function showKeys(context: Context, { output }: { readonly output?: "json" }): Promise<number> {
  if (context.cluster) return await showClusterKeys(context, context.cluster, output ? { output } : {});
  const { keys, resources } = homeLayout(context.settings.home);
  const credentials = (await readCredentials(resources)) ?? [];
  const items = (await listKeys(keys)).map((stored) => ({ ...stored, credentials: usersOf(stored, credentials) }));
  if (output === "json") {
    print(context, JSON.stringify({ items }, null, 2));
    return exitCodes.ok;
  }
  if (items.length === 0) {
    tell(context, "No keys yet. `copepod keys add <name>` stores one.");
    return exitCodes.ok;
  }
  const now = Date.now();
  const columns = [
    { heading: "Name", cell: (item: (typeof items)[number]) => item.name },
    { heading: "Key", cell: (item: (typeof items)[number]) => item.key },
    { heading: "Age", cell: (item: (typeof items)[number]) => renderAge(item.changedAt, now) },
    { heading: "Credentials", cell: (item: (typeof items)[number]) => item.credentials.join(",") },
  ];
  print(context, renderTable(columns, items, false));
  return exitCodes.ok;
}

/** Removes a key; that there is none is fine too. */
export async function dropKey(context: Context, name: string, { key = defaultKey }: KeyOptions): Promise<number> {
  const { keys, resources } = homeLayout(context.settings.home);
  const ref = checkKeyRef({ name, key });
  if (context.cluster) return await dropClusterKey(context, context.cluster, ref);
  const removed = await removeKey(keys, ref);
  print(context, removed ? `key ${textOf(ref)} removed` : `key ${textOf(ref)} does not exist; nothing was removed`);
  const users = usersOf(ref, (await readCredentials(resources)) ?? []);
  if (users.length > 0) {
    tell(context, `Requests that need it fail from now on: the Credential ${users.join(", ")} refers to it.`);
  }
  return exitCodes.ok;
}

/** A key alone reaches no request. */
async function tellUse(context: Context, resources: string, ref: KeyRef): Promise<void> {
  if (usersOf(ref, (await readCredentials(resources)) ?? []).length > 0) return;
  const key = ref.key === defaultKey ? "" : `, key: ${ref.key}`;
  tell(context, "It is used when a Credential refers to it (docs/agents.md), by this field in its spec:");
  tell(context, `  secretRef: {name: ${ref.name}${key}}`);
}

/** Makes the Credential of a known model API where there is none, and says how it is used. */
async function offerCredential(context: Context, resources: string, name: KnownModelName): Promise<void> {
  const credentials = await readCredentials(resources);
  if (!credentials) {
    tell(context, "The first start (`npm start`) makes a sample agent that uses it.");
    return;
  }
  if (!credentials.some(({ metadata }) => metadata.name === name)) {
    const file = join(resources, `${name}.yaml`);
    const isWritten = await writeNew(file, stringify(knownCredential(name)));
    if (isWritten) tell(context, `Made the Credential "${name}" in ${file}.`);
    else tell(context, `${file} exists and holds something else, so no Credential "${name}" was made.`);
  }
  tell(context, `An agent uses it with these fields in the spec of its AgentGroup:`);
  tell(context, `  agent: {provider: ${knownModels[name].provider}}`);
  tell(context, `  credentials: [${name}]`);
  for (const rival of rivalsOf(name, (await readCredentials(resources)) ?? [])) {
    tell(
      context,
      `One agent group can use only one of "${rival}" and "${name}": the one that it names later is left out.`,
    );
  }
}

/** Names of Credentials that claim some of the same requests. */
function rivalsOf(name: string, credentials: readonly Credential[]): string[] {
  const byName = new Map(credentials.map((one) => [keyOf(one.metadata.namespace, one.metadata.name), one]));
  const metadata = { name: "any", namespace: defaultNamespace };
  return credentials
    .map((one) => one.metadata.name)
    .filter((other) => other !== name)
    .filter(
      (other) => renderProxyRules({ metadata, spec: { credentials: [other, name] } }, byName).overlapping.length > 0,
    );
}

async function writeNew(file: string, text: string): Promise<boolean> {
  try {
    await writeFile(file, text, { flag: "wx" });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** undefined = there is no folder of resources yet. */
async function readCredentials(folder: string): Promise<readonly Credential[] | undefined> {
  return (await readResources(folder))?.filter((resource) => resource.kind === "Credential");
}

const usersOf = ({ name, key }: KeyRef, credentials: readonly Credential[]): string[] =>
  credentials
    .filter(({ spec: { secretRef } }) => secretRef?.name === name && secretRef.key === key)
    .map(({ metadata }) => metadata.name);

const textOf = ({ name, key }: KeyRef): string => `${name}/${key}`;
