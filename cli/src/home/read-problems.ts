import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Problem } from "@copepod/core/admin-api";
import { readResourceFile } from "@copepod/router/resources/resource-file";

/** What is wrong with each file of a resources folder, without a running router; undefined when there is no folder. */
export async function readProblems(folder: string): Promise<readonly Problem[] | undefined> {
  const names = await readdir(folder, { recursive: true }).catch(() => undefined);
  if (names === undefined) return undefined;
  const problems: Problem[] = [];
  for (const name of names.filter((one) => /\.ya?ml$/.test(one)).sort()) {
    const file = join(folder, name);
    const content = readResourceFile(await readFile(file));
    if (!content.ok) problems.push(...content.problems.map((problem) => ({ file, ...problem })));
  }
  return problems;
}
