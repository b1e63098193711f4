import { globSync, readFileSync, statSync } from "node:fs";
import { basename, join, sep } from "node:path";

export const repositoryRoot = join(import.meta.dirname, "..");

/** All files below the root with one of the endings, as sorted paths with `/`; nothing hidden, nothing installed. */
export function listFiles(root: string, endings: readonly string[]): string[] {
  const paths = globSync("**/*", { cwd: root, exclude: (path) => isSkipped(basename(path)) });
  return paths
    .filter((path) => endings.some((ending) => path.endsWith(ending)) && !isSkipped(basename(path)))
    .filter((path) => statSync(join(root, path), { throwIfNoEntry: false })?.isFile())
    .map(toSlashes)
    .sort();
}

const isSkipped = (name: string): boolean => name === "node_modules" || name.startsWith(".");

const toSlashes = (path: string): string => path.split(sep).join("/");

export const readText = (root: string, path: string): string => readFileSync(join(root, path), "utf8");

interface Manifest {
  readonly name: string;
  readonly workspaces: readonly string[];
  readonly scripts: Readonly<Record<string, string>>;
}

export function readManifest(root: string, folder = "."): Manifest {
  const { name, workspaces = [], scripts = {} } = JSON.parse(readText(root, join(folder, "package.json")));
  return { name, workspaces, scripts };
}

export interface Workspace {
  /** Such as `adapters/kit`. */
  readonly folder: string;
  /** Such as `@copepod/adapter-kit`; the folder for one that is no package. */
  readonly name: string;
}

/** Folders with code of the whole, which nobody imports from. */
const looseFolders = ["e2e", "scripts"];

export function listWorkspaces(root: string): Workspace[] {
  const packages = readManifest(root).workspaces.map((folder) => ({ folder, name: readManifest(root, folder).name }));
  return [...packages, ...looseFolders.map((folder) => ({ folder, name: folder }))];
}

export const workspaceOf = (path: string, workspaces: readonly Workspace[]): Workspace | undefined =>
  workspaces.find(({ folder }) => path.startsWith(`${folder}/`));
