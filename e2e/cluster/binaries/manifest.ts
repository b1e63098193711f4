import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readIfThere } from "../machine/files.ts";

const manifestName = "sizes.txt";

/** Notes what is in the folder, once it is complete. */
export async function writeManifest(folder: string): Promise<void> {
  await writeFile(join(folder, manifestName), describeFiles(await readSizes(folder)));
}

/** Whether these programs are in the folder, and all in it is as it was noted: nothing is missing or cut off. */
export async function isWhole(folder: string, names: readonly string[]): Promise<boolean> {
  const noted = await readIfThere(join(folder, manifestName));
  if (noted === undefined) return false;
  const sizes = await readSizes(folder);
  return noted === describeFiles(sizes) && names.every((name) => sizes.has(name));
}

type Sizes = ReadonlyMap<string, number | undefined>;

/** In bytes; undefined for a link that leads nowhere. */
async function readSizes(folder: string): Promise<Sizes> {
  const names = (await readdir(folder)).filter((name) => name !== manifestName).sort();
  const looks = names.map(async (name) => {
    const found = await stat(join(folder, name)).catch(() => undefined);
    return [name, found?.size] as const;
  });
  return new Map(await Promise.all(looks));
}

const describeFiles = (sizes: Sizes): string => [...sizes].map(([name, size]) => `${name} ${size}\n`).join("");
