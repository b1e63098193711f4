import { existsSync } from "node:fs";
import { join } from "node:path";
import { listFiles, listWorkspaces, readText, workspaceOf } from "../repository.ts";
import type { Check } from "./check.ts";

/** No file is longer, tests included. */
const maxFileLines = 400;

/** Pages that a newcomer reads first stay short. */
const maxPageLines: Readonly<Record<string, number>> = { "README.md": 120, "CONTRIBUTING.md": 120 };

const budgetFile = "scripts/budgets.json";

export interface Size {
  readonly folder: string;
  /** Lines of code that ships or helps to build it. */
  readonly lines: number;
  /** Lines of tests and what only tests use. */
  readonly testLines: number;
  readonly budget: number | undefined;
}

export const budgetCheck: Check = { name: "line budgets", run: async (root) => checkBudgets(root) };

export function checkBudgets(root: string): string[] {
  const long = listFiles(root, [".ts"]).flatMap((file) => {
    const lines = countLines(readText(root, file));
    return lines > maxFileLines ? [`${file}: has ${lines} lines, more than ${maxFileLines}; split it`] : [];
  });
  const grown = measureSizes(root).flatMap(({ folder, lines, budget }) => {
    if (budget === undefined) return [`${folder}: has no budget in ${budgetFile}`];
    return lines > budget ? [`${folder}: has ${lines} lines of code, more than its budget of ${budget}`] : [];
  });
  return [...long, ...grown, ...checkPages(root)];
}

function checkPages(root: string): string[] {
  return Object.entries(maxPageLines).flatMap(([page, most]) => {
    const lines = existsSync(join(root, page)) ? countLines(readText(root, page)) : 0;
    return lines > most ? [`${page}: has ${lines} lines, more than ${most}`] : [];
  });
}

/** Lines of each workspace, and what it may have. */
export function measureSizes(root: string): Size[] {
  const budgets: Record<string, number> = JSON.parse(readText(root, budgetFile));
  const workspaces = listWorkspaces(root);
  const files = listFiles(root, [".ts"]).map((file) => ({
    folder: workspaceOf(file, workspaces)?.folder,
    isTest: /\.(test|contract)\.ts$|\/(testing|fixtures|model)\/|\/(testing|fake)(-[^/]*)?\.ts$/.test(file),
    lines: countLines(readText(root, file)),
  }));
  return workspaces.map(({ folder }) => {
    const own = files.filter((file) => file.folder === folder);
    return {
      folder,
      lines: sum(own.filter(({ isTest }) => !isTest)),
      testLines: sum(own.filter(({ isTest }) => isTest)),
      budget: budgets[folder] ?? (folder.startsWith("adapters/") ? budgets["adapters/*"] : undefined),
    };
  });
}

/** A table for people. */
export function sizeTable(sizes: readonly Size[]): string {
  const rows = sizes.map(({ folder, lines, budget, testLines }) => [folder, lines, budget ?? "–", testLines]);
  const total = ["total", sum(sizes), "", sizes.reduce((all, { testLines }) => all + testLines, 0)];
  return [["workspace", "code", "budget", "tests"], ...rows, total]
    .map(([name, ...cells]) => `  ${String(name).padEnd(18)}${cells.map((cell) => String(cell).padStart(8)).join("")}`)
    .join("\n");
}

const countLines = (text: string): number => text.split("\n").length - (text.endsWith("\n") ? 1 : 0);

const sum = (parts: readonly { readonly lines: number }[]): number => parts.reduce((all, { lines }) => all + lines, 0);
