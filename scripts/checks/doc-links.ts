import { existsSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { lineAt } from "../read-imports.ts";
import { listFiles, readText } from "../repository.ts";
import type { Check } from "./check.ts";
import { withoutBlocks, withoutCode } from "./markdown.ts";

/** Every relative link leads to a file and a heading; every path of the repository in backticks exists. */
export const docLinkCheck: Check = { name: "links and paths of the docs", run: async (root) => checkLinks(root) };

export function checkLinks(root: string): string[] {
  return listFiles(root, [".md"]).flatMap((file) => {
    const page = readText(root, file);
    return [...checkPageLinks(root, file, withoutCode(page)), ...checkPagePaths(root, file, withoutBlocks(page))];
  });
}

function checkPageLinks(root: string, file: string, page: string): string[] {
  return [...page.matchAll(/\]\(([^)\s]+)\)/g)].flatMap((match) => {
    const link = match[1] ?? "";
    if (/^[a-z]+:/.test(link)) return [];
    const problem = followLink(root, file, link);
    return problem === undefined ? [] : [`${file}:${lineAt(page, match.index)}: link to ${link}: ${problem}`];
  });
}

function followLink(root: string, file: string, link: string): string | undefined {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? file : posix.join(dirname(file), path);
  if (!existsSync(join(root, target))) return "no such file";
  if (anchor === undefined || !target.endsWith(".md")) return undefined;
  return listAnchors(withoutBlocks(readText(root, target))).includes(anchor) ? undefined : "no such heading";
}

/** Anchors as GitHub makes them of headings. */
const listAnchors = (page: string): string[] =>
  [...page.matchAll(/^#+ +(.*)$/gm)].map((match) =>
    (match[1] ?? "")
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );

function checkPagePaths(root: string, file: string, page: string): string[] {
  return [...page.matchAll(/`([^`\n]+)`/g)].flatMap((match) => {
    const path = match[1] ?? "";
    if (!looksLikePath(root, path)) return [];
    const exists = existsSync(join(root, path)) || existsSync(join(root, dirname(file), path));
    return exists ? [] : [`${file}:${lineAt(page, match.index)}: \`${path}\` does not exist`];
  });
}

/** A path of this repository: begins with one of its folders, or is a source file in some folder. */
function looksLikePath(root: string, text: string): boolean {
  if (!/^[\w@.-]+(\/[\w@.-]+)+\/?$/.test(text)) return false;
  const [top = ""] = text.split("/");
  if (top.startsWith("@") || top.startsWith(".")) return false;
  return existsSync(join(root, top)) || text.endsWith(".ts");
}
