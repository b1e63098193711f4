import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Tool } from "./catalogue.ts";

/** A tool, and the folder with the go.mod, the go.sum and maybe the main.go that it is built from. */
export interface ToolModule extends Tool {
  readonly name: string;
  readonly folder: string;
}

export const moduleFolder = (tool: string): string => fileURLToPath(new URL(tool, import.meta.url));

/** The version of a module in a tool's go.mod, such as `v1.35.4`. */
export async function pinnedVersion(folder: string, module: string): Promise<string> {
  return await readGoMod(folder, (path, version) => path === module && version.startsWith("v"), module);
}

/** What a tool is called in a sentence: with its version, where it has one. */
export async function describeTool({ name, folder, module }: ToolModule): Promise<string> {
  return module === undefined ? name : `${name} ${await pinnedVersion(folder, module)}`;
}

/** The oldest version of Go that can build it, such as `1.26`. */
export const neededGo = async (folder: string): Promise<string> =>
  await readGoMod(folder, (word) => word === "go", "a version of Go");

async function readGoMod(
  folder: string,
  isIt: (word: string, version: string) => boolean,
  what: string,
): Promise<string> {
  const text = await readFile(join(folder, "go.mod"), "utf8");
  for (const line of text.split("\n")) {
    const [word = "", version = ""] = line
      .trim()
      .replace(/^require /, "")
      .split(/\s+/);
    if (isIt(word, version)) return version;
  }
  throw new Error(`${join(folder, "go.mod")} doesn't name ${what}`);
}

/** What decides how the programs come out, for `go build` and `go list` alike. */
export async function buildFlags(tool: ToolModule): Promise<string[]> {
  const version = tool.module === undefined ? "" : await pinnedVersion(tool.folder, tool.module);
  const stamps = Object.entries(tool.stamp?.(version) ?? {}).map(([variable, value]) => `-X ${variable}=${value}`);
  const tags = tool.tags ? [`-tags=${tool.tags.join(",")}`] : [];
  return ["-trimpath", ...tags, `-ldflags=${["-s", "-w", ...stamps].join(" ")}`];
}

/** Name of the folder for a tool's finished programs: another one as soon as anything changes. */
export async function finishedName(tool: ToolModule): Promise<string> {
  const hash = createHash("sha256");
  for (const file of (await readdir(tool.folder)).sort()) {
    hash.update(`${file}\0`).update(await readFile(join(tool.folder, file)));
  }
  hash.update(JSON.stringify([tool.packages, await buildFlags(tool), process.platform, process.arch]));
  return `${tool.name}-${hash.digest("hex").slice(0, 12)}`;
}
