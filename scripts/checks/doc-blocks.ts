import { stripTypeScriptTypes } from "node:module";
import { apiVersion } from "@copepod/crds/definition";
import { describeIssues, parseResource } from "@copepod/crds/parse";
import { parseAllDocuments } from "yaml";
import { listCommands, loadProgram } from "../generators/cli-page.ts";
import { lineAt } from "../read-imports.ts";
import { listFiles, readManifest, readText } from "../repository.ts";
import type { Check } from "./check.ts";
import { type Block, readBlocks, withoutBlocks } from "./markdown.ts";

/** Names that a shell line may use. */
interface Vocabulary {
  readonly scripts: ReadonlySet<string>;
  readonly commands: ReadonlySet<string>;
}

/** Resources in the docs are valid, TypeScript parses, and commands exist. */
export const docBlockCheck: Check = {
  name: "code of the docs",
  run: async (root) => {
    const commands = listCommands(await loadProgram()).flatMap(([path]) => path.slice(1));
    const scripts = Object.keys(readManifest(root).scripts);
    return checkBlocks(root, { scripts: new Set(scripts), commands: new Set(commands) });
  },
};

export function checkBlocks(root: string, vocabulary: Vocabulary): string[] {
  return listFiles(root, [".md"]).flatMap((file) => {
    const page = readText(root, file);
    const blocks = readBlocks(page).flatMap((block) =>
      checkBlock(block, vocabulary).map((problem) => `${file}:${block.line}: ${problem}`),
    );
    return [...blocks, ...checkInline(file, withoutBlocks(page), vocabulary)];
  });
}

function checkBlock(block: Block, vocabulary: Vocabulary): string[] {
  switch (block.language) {
    case "yaml":
      return checkYaml(block.text);
    case "ts":
      return checkTypeScript(block.text);
    case "sh":
      return checkShell(block.text, vocabulary);
    default:
      return [];
  }
}

function checkYaml(text: string): string[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [fault] = document.errors;
    if (fault) return [`yaml: ${fault.message}`];
    const value: unknown = document.toJS();
    if (!isOurs(value)) return [];
    const result = parseResource(value);
    return result.ok ? [] : [`yaml: ${describeIssues(result.issues)}`];
  });
}

const isOurs = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  "kind" in value &&
  (!("apiVersion" in value) || String(value.apiVersion).startsWith(apiVersion.split("/")[0] ?? ""));

function checkTypeScript(text: string): string[] {
  try {
    stripTypeScriptTypes(text);
    return [];
  } catch (error) {
    return [`ts: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`];
  }
}

function checkInline(file: string, page: string, vocabulary: Vocabulary): string[] {
  return [...page.matchAll(/`([^`\n]+)`/g)].flatMap((match) =>
    checkShell(match[1] ?? "", vocabulary).map((problem) => `${file}:${lineAt(page, match.index)}: ${problem}`),
  );
}

function checkShell(text: string, { scripts, commands }: Vocabulary): string[] {
  const used = [
    ...findWords(text, /(?:^|[\s;&|])npm run ([a-z][\w:-]*)/gm).map(
      (name) => [scripts, `npm run ${name}`, name] as const,
    ),
    ...findWords(text, /(?:^|[\s;&|])npm (test|start)\b/gm).map((name) => [scripts, `npm ${name}`, name] as const),
    ...findWords(text, /(?:^[ \t]*|[;&|][ \t]*|npx |kubectl )copepod ([a-z][a-z-]*)/gm).map(
      (name) => [commands, `copepod ${name}`, name] as const,
    ),
  ];
  return used.flatMap(([known, shown, name]) => (known.has(name) ? [] : [`sh: there is no \`${shown}\``]));
}

const findWords = (text: string, form: RegExp): string[] => [...text.matchAll(form)].map((match) => match[1] ?? "");
