import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { defaultKey, listKeys, writeKey } from "./keys.ts";
import { isKnownModel, type KnownModelName } from "./known-models.ts";
import { homeLayout } from "./layout.ts";
import { makeFolder } from "./make-folder.ts";
import { chooseModel, type ModelChoice, type ModelEnvironment } from "./model-choice.ts";

const apiVersion = "copepod.dev/v1alpha1";

/** A group, a terminal channel, the wiring between them, the person as owner, and the Credential of the model API. */
function sampleResources(userName: string, model: ModelChoice | undefined): Readonly<Record<string, object>> {
  return {
    ...(model ? { [`${model.name}.yaml`]: model.credential } : {}),
    "helper.yaml": {
      apiVersion,
      kind: "AgentGroup",
      metadata: { name: "helper" },
      spec: {
        instructions: "You are a friendly helper. Answer briefly and in plain words.\n",
        agent: { provider: model?.provider ?? "demo" },
        ...(model ? { credentials: [model.name] } : {}),
      },
    },
    "terminal.yaml": {
      apiVersion,
      kind: "Channel",
      metadata: { name: "terminal" },
      spec: { type: "terminal", defaults: { unknownSenders: "Public" } },
    },
    "terminal-helper.yaml": {
      apiVersion,
      kind: "Wiring",
      metadata: { name: "terminal-helper" },
      spec: { channel: "terminal", conversation: { kind: "Direct" }, group: "helper" },
    },
    "me.yaml": {
      apiVersion,
      kind: "User",
      metadata: { name: resourceName(userName) },
      spec: { identities: [`terminal:${userName}`], displayName: userName, roles: [{ role: "Owner" }] },
    },
  };
}

export interface FirstRun {
  /** Names of the files that were made. */
  readonly written: readonly string[];
  /** What the sample agent uses; undefined = it is the demo. */
  readonly model: ModelChoice | undefined;
}

/**
 * Makes the resources folder with samples, for the model API that the environment or the stored keys name. Does nothing
 * when the folder exists, even an empty one: it is the person's.
 * @returns undefined when it did nothing. @throws CopepodError `invalid` naming a variable that can't be used
 */
export async function makeFirstRun(
  home: string,
  userName: string,
  models: ModelEnvironment,
): Promise<FirstRun | undefined> {
  const { resources, keys } = homeLayout(home);
  if (existsSync(resources)) return undefined;
  const model = chooseModel(models, await storedModels(keys));
  await makeFolder(home, 0o700);
  if (model?.key !== undefined) await writeKey(keys, { name: model.name, key: defaultKey }, model.key);
  if (!(await makeNew(resources))) return undefined;
  const samples = Object.entries(sampleResources(userName, model));
  for (const [name, resource] of samples) await writeFile(join(resources, name), stringify(resource), { flag: "wx" });
  return { written: samples.map(([name]) => name), model };
}

/** @returns false when it is there already. */
async function makeNew(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

async function storedModels(keys: string): Promise<ReadonlySet<KnownModelName>> {
  const names = (await listKeys(keys)).filter(({ key }) => key === defaultKey).map(({ name }) => name);
  return new Set(names.filter(isKnownModel));
}

/** A user name of the system, as the name of a resource. */
export function resourceName(userName: string): string {
  const name = userName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 63)
    .replace(/-+$/, "");
  return name || "me";
}
