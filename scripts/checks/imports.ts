import { dirname, posix } from "node:path";
import { readImports } from "../read-imports.ts";
import { listFiles, listWorkspaces, readText, type Workspace, workspaceOf } from "../repository.ts";
import type { Check } from "./check.ts";

/** Which workspaces a workspace may import. Programs meet in `core`, `crds` and `kube` only. */
const allowedImports: Readonly<Record<string, readonly string[] | "everything">> = {
  core: [],
  crds: ["core"],
  kube: ["core"],
  operator: ["core", "crds", "kube"],
  router: ["core", "crds", "kube"],
  "adapters/kit": ["core"],
  "adapters/host": ["core", "adapters/kit", "adapters/*"],
  "adapters/*": ["core", "adapters/kit"],
  "agent-image": ["core"],
  "credential-proxy": ["core"],
  cli: "everything",
  images: "everything",
  e2e: "everything",
  scripts: "everything",
};

/** `adapters/*` stands for every platform's folder. */
const patternOf = (folder: string): string => (folder.startsWith("adapters/") ? "adapters/*" : folder);

const allowedFor = (folder: string) => allowedImports[folder] ?? allowedImports[patternOf(folder)];

/** No I/O: what `core` may import that is not its own. */
const corePackages = ["zod"];

interface Place {
  readonly file: string;
  readonly from: Workspace;
  readonly specifier: string;
}

export const importCheck: Check = { name: "imports", run: async (root) => checkImports(root) };

export function checkImports(root: string): string[] {
  const workspaces = listWorkspaces(root);
  const missing = workspaces
    .filter(({ folder }) => allowedFor(folder) === undefined)
    .map(({ folder }) => `${folder}: the table in scripts/checks/imports.ts does not say what it may import`);
  return [...missing, ...listFiles(root, [".ts"]).flatMap((file) => checkFile(root, file, workspaces))];
}

function checkFile(root: string, file: string, workspaces: readonly Workspace[]): string[] {
  const from = workspaceOf(file, workspaces);
  if (!from) return [`${file}: is in no workspace`];
  return readImports(readText(root, file)).flatMap(({ specifier, line }) => {
    const problem = judge({ file, from, specifier }, workspaces);
    return problem === undefined ? [] : [`${file}:${line}: ${problem}`];
  });
}

function judge(place: Place, workspaces: readonly Workspace[]): string | undefined {
  if (place.specifier.startsWith(".")) return judgeRelative(place);
  const target = workspaces.find(({ name }) => place.specifier === name || place.specifier.startsWith(`${name}/`));
  if (target) return judgeWorkspace(place, target);
  return judgeCore(place);
}

function judgeRelative({ file, from, specifier }: Place): string | undefined {
  const target = posix.join(dirname(file), specifier);
  if (target.startsWith(`${from.folder}/`)) return undefined;
  return `"${specifier}" leaves the workspace ${from.folder}; import it by its package name`;
}

function judgeWorkspace({ from, specifier }: Place, target: Workspace): string | undefined {
  if (target.folder === from.folder) return `"${specifier}" is in the same workspace; import it by a relative path`;
  const allowed = allowedFor(from.folder);
  if (allowed === "everything") return undefined;
  if (allowed?.includes(target.folder) || allowed?.includes(patternOf(target.folder))) return undefined;
  return `${from.folder} may not import ${target.folder}`;
}

function judgeCore({ file, from, specifier }: Place): string | undefined {
  if (from.folder !== "core" || file.endsWith(".test.ts") || corePackages.includes(specifier)) return undefined;
  return `core does no I/O and imports only ${corePackages.join(", ")}, not "${specifier}"`;
}
