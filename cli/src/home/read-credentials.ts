import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Credential } from "@copepod/crds/credential";
import { readResourceFile } from "@copepod/router/resources/resource-file";

/** The Credentials of the good files of a resources folder, without a running router; undefined when there is no folder. */
export async function readCredentials(folder: string): Promise<readonly Credential[] | undefined> {
  const names = await readdir(folder, { recursive: true }).catch(() => undefined);
  if (names === undefined) return undefined;
  const files = names.filter((name) => /\.ya?ml$/.test(name)).sort();
  const contents = await Promise.all(files.map(async (name) => readResourceFile(await readFile(join(folder, name)))));
  return contents.flatMap((content) => {
    const resources = content.ok ? content.entries.map(({ resource }) => resource) : [];
    return resources.filter((resource) => resource.kind === "Credential");
  });
}
