import { existsSync } from "node:fs";
import { join } from "node:path";
import { generateAll, generatedFolders } from "../generators/all.ts";
import { listFiles, readText } from "../repository.ts";
import type { Check } from "./check.ts";

export const generatedCheck: Check = {
  name: "generated files",
  run: async (root) => compareGenerated(root, await generateAll(root)),
};

/** @param wanted what the generators say now, by path */
export function compareGenerated(root: string, wanted: ReadonlyMap<string, string>): string[] {
  const stale = [...wanted].flatMap(([path, content]) => {
    if (!existsSync(join(root, path))) return [`${path}: is missing; run \`npm run generate\``];
    return readText(root, path) === content ? [] : [`${path}: is not current; run \`npm run generate\``];
  });
  const left = generatedFolders
    .flatMap((folder) => listFiles(join(root, folder), [""]).map((name) => `${folder}/${name}`))
    .filter((path) => !wanted.has(path))
    .map((path) => `${path}: nothing generates it; remove it`);
  return [...stale, ...left];
}
