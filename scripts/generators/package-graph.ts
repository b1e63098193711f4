import { readImports } from "../read-imports.ts";
import { listFiles, listWorkspaces, readText, type Workspace, workspaceOf } from "../repository.ts";

const begin = "<!-- package graph: begin -->";
const end = "<!-- package graph: end -->";

/** Puts the graph of imports between the markers of a page. @throws Error when a marker is missing */
export function fillPackageGraph(root: string, page: string): string {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the page needs the lines "${begin}" and "${end}"`);
  return `${page.slice(0, from + begin.length)}\n\n${drawGraph(root).join("\n")}\n\n${page.slice(to)}`;
}

function drawGraph(root: string): string[] {
  const workspaces = listWorkspaces(root);
  const edges = workspaces.flatMap((from) =>
    findTargets(root, from, workspaces).map((to) => `  ${nodeOf(from)} --> ${nodeOf(to)}`),
  );
  return ["```mermaid", "flowchart TD", ...edges, "```"];
}

/** Workspaces that the code of one imports; what only tests import does not count. */
function findTargets(root: string, from: Workspace, workspaces: readonly Workspace[]): Workspace[] {
  const specifiers = listFiles(root, [".ts"])
    .filter((file) => workspaceOf(file, workspaces) === from && !/\.(test|contract)\.ts$/.test(file))
    .flatMap((file) => readImports(readText(root, file)).map(({ specifier }) => specifier));
  return workspaces.filter((to) => to !== from && specifiers.some((specifier) => specifier.startsWith(`${to.name}/`)));
}

const nodeOf = ({ folder }: Workspace): string => `${folder.replaceAll(/[^a-z]/g, "_")}["${folder}"]`;
