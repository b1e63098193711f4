import { lineAt } from "../read-imports.ts";

export interface Block {
  /** First word behind the fence. */
  readonly language: string;
  readonly text: string;
  /** Line of the first line of the text, from 1. */
  readonly line: number;
}

/** Fenced blocks of a page. */
export function readBlocks(page: string): Block[] {
  return [...page.matchAll(/^( *)```([a-z]*)[^\n]*\n([\s\S]*?)^\1```\s*$/gm)].map((match) => ({
    language: match[2] ?? "",
    text: unindent(match[3] ?? "", (match[1] ?? "").length),
    line: lineAt(page, match.index) + 1,
  }));
}

/** The page with its fenced blocks and comments emptied, lines kept. */
export function withoutBlocks(page: string): string {
  return page.replaceAll(/^( *)```[\s\S]*?^\1```\s*?$/gm, blankLines).replaceAll(/<!--[\s\S]*?-->/g, blankLines);
}

/** The same, with what stands in backticks emptied too. */
export const withoutCode = (page: string): string =>
  withoutBlocks(page).replaceAll(/`[^`\n]+`/g, (text) => " ".repeat(text.length));

const blankLines = (text: string): string => text.replaceAll(/[^\n]/g, "");

const unindent = (text: string, width: number): string =>
  text
    .split("\n")
    .map((line) => line.slice(Math.min(width, line.length)))
    .join("\n");
