import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Resource } from "@copepod/crds/kinds";
import { readResourceFile } from "@copepod/router/resources/resource-file";

/** What the good files of a resources folder hold, without a running router; undefined when there is no folder. */
export async function readResources(folder: string): Promise<readonly Resource[] | undefined> {
  const names = await readdir(folder, { recursive: true }).catch(() => undefined);
  if (names === undefined) return undefined;
  const files = names.filter((name) => /\.ya?ml$/.test(name)).sort();
  const contents = await Promise.all(files.map(async (name) => readResourceFile(await readFile(join(folder, name)))));
  return contents.flatMap((content) => (content.ok ? content.entries.map(({ resource }) => resource) : []));
}
