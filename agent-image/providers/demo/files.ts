import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readAgentFile, writeAgentFile } from "../../runner/agent-files.ts";
import type { PromptFile } from "./prompt.ts";

/** A text up to this size is shown. */
const maxShownBytes = 40;

/** Writes a file into the workspace. @returns its path, from there. */
export async function writeDemoFile(workspace: string, text: string): Promise<string> {
  const name = "demo.txt";
  await writeAgentFile(join(workspace, name), `${text}\n`);
  return name;
}

/** What is seen of files that a person has sent. */
export async function describeFiles(files: readonly PromptFile[]): Promise<string> {
  const lines = await Promise.all(files.map(describeFile));
  return [`I got ${files.length === 1 ? "a file" : `${files.length} files`}:`, ...lines].join("\n");
}

async function describeFile({ name, path }: PromptFile): Promise<string> {
  if (path === undefined) return `- ${name}, which did not reach me`;
  const { size } = await stat(path);
  const text = size <= maxShownBytes ? (await readAgentFile(path, maxShownBytes)).trim() : "";
  const isPlain = /^\P{Cc}+$/u.test(text) && !text.includes("<");
  return `- ${name}, ${size} bytes${isPlain ? `: “${text}”` : ""}`;
}
