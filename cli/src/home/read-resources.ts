import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Resource } from "@copepod/crds/kinds";
import { readResourceFile } from "@copepod/router/resources/resource-file";
import { parseAllDocuments } from "yaml";

/** What the good files of a resources folder hold, without a running router; undefined when there is no folder. */
export async function readResources(folder: string): Promise<readonly Resource[] | undefined> {
  return (await readWritten(folder))?.map(({ resource }) => resource);
}

/** A resource, and its document as people wrote it. */
export interface Written {
  readonly resource: Resource;
  readonly document: unknown;
}

/** The same, with what people wrote: without defaults. */
export async function readWritten(folder: string): Promise<readonly Written[] | undefined> {
  const names = await readdir(folder, { recursive: true }).catch(() => undefined);
  if (names === undefined) return undefined;
  const files = names.filter((name) => /\.ya?ml$/.test(name)).sort();
  const contents = await Promise.all(files.map(async (name) => await readFile(join(folder, name))));
  return contents.flatMap((bytes) => {
    const content = readResourceFile(bytes);
    if (!content.ok) return [];
    const documents = [...parseAllDocuments(bytes.toString("utf8"))];
    return content.entries.map(({ resource, index }) => ({ resource, document: documents[index]?.toJS() }));
  });
}
