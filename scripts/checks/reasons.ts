import { existsSync } from "node:fs";
import { join } from "node:path";
import { listFiles, readText } from "../repository.ts";
import type { Check } from "./check.ts";

const page = "docs/troubleshooting.md";
const code = "operator/src/";
/** Has those that several programs know. */
const shared = "core/src/cluster.ts";

/** How the operator's code names a reason: `x ? "A" : "B"` counts as both. */
const forms = [
  /\breason: "([A-Z]\w+)"/g,
  /\breason: [^,{}]*?"([A-Z]\w+)" : "([A-Z]\w+)"/g,
  /\b(?:refused|said)\(\s*(?:"(?:True|False|Unknown)",\s*)?"([A-Z]\w+)"/g,
  /\breason \?\? "([A-Z]\w+)"/g,
  /\bconst \w+Reason = "([A-Z]\w+)"/g,
];

/** Has a table of cures by reason, as the docs have. */
const cures = "cli/src/cluster/diagnose.ts";

/** Every reason of a condition or an Event has a row in the table of reasons, and no row or cure is of one that is gone. */
export const reasonCheck: Check = { name: "reasons in the docs", run: async (root) => checkReasons(root) };

export function checkReasons(root: string): string[] {
  const given = reasonsOfCode(root);
  const told = existsSync(join(root, page)) ? reasonsOfPage(readText(root, page)) : new Set<string>();
  const cured = existsSync(join(root, cures)) ? reasonsOfCures(readText(root, cures)) : [];
  const named = [
    ...[...told].map((reason) => [page, reason] as const),
    ...cured.map((reason) => [cures, reason] as const),
  ];
  return [
    ...[...given].filter((reason) => !told.has(reason)).map((reason) => `${page}: the reason ${reason} has no row`),
    ...named
      .filter(([, reason]) => !given.has(reason))
      .map(([file, reason]) => `${file}: nothing in ${code} gives the reason ${reason}`),
  ];
}

function reasonsOfCode(root: string): ReadonlySet<string> {
  const files = listFiles(root, [".ts"]).filter(
    (file) => (file === shared || file.startsWith(code)) && !file.endsWith(".test.ts") && !file.includes("/testing/"),
  );
  const words = files.flatMap((file) => {
    const text = readText(root, file);
    return forms.flatMap((form) => [...text.matchAll(form)].flatMap(([, ...found]) => found));
  });
  return new Set(words.filter((word) => word !== undefined));
}

/** Words in backticks in the first column of the tables whose heading begins with "Reason". */
function reasonsOfPage(text: string): ReadonlySet<string> {
  const tables = text.match(/^\| Reason .*\n(?:\|.*\n?)+/gm) ?? [];
  const cells = tables.flatMap((table) => table.split("\n").map((row) => row.split("|")[1] ?? ""));
  return new Set(cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, word = ""]) => word)));
}

function reasonsOfCures(text: string): string[] {
  const [table] = text.match(/\bcures\b[^=]*= \{\n(?: .*\n)+/) ?? [];
  return [...(table ?? "").matchAll(/^ {2}(\w+):/gm)].map(([, reason = ""]) => reason);
}
