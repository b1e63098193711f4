import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { defaultNamespace } from "@copepod/core/addresses";
import { CopepodError } from "@copepod/core/errors";
import type { Resource } from "@copepod/crds/kinds";
import { describeIssues, parseResource } from "@copepod/crds/parse";
import type { Place } from "./folder-state.ts";
import { replaceFile } from "./replace-file.ts";
import { entryKey, readResourceFile } from "./resource-file.ts";
import { newDocument, rewriteDocument } from "./rewrite-document.ts";

export interface Wanted {
  readonly resource: Resource;
  /** As the person gave it: the file holds what was decided, not the defaults. */
  readonly document: object;
}

/** @throws CopepodError `invalid` */
export function checkWanted(input: unknown): Wanted {
  const parsed = parseResource(input);
  if (!parsed.ok) throw new CopepodError("invalid", describeIssues(parsed.issues));
  if (parsed.resource.kind === "Session") {
    throw new CopepodError("invalid", "kind: sessions live in the database; Copepod makes them itself");
  }
  const { status: _, ...document } = { status: undefined, ...Object(input) };
  return { resource: parsed.resource, document };
}

/** Writes a resource where it is, or into a file of its own. @throws CopepodError and leaves every file as it was */
export async function writeResource(wanted: Wanted, place: Place | undefined, folder: string): Promise<void> {
  if (!place)
    return await replaceFile(freePath(folder, wanted.resource), checked(newDocument(wanted.document), wanted));
  if (!place.entry) {
    throw new CopepodError(
      "conflict",
      `${entryKey(wanted.resource)} is in ${place.path}, which is bad: mend that first`,
    );
  }
  const text = await readFile(place.target, "utf8");
  await replaceFile(place.target, checked(rewriteDocument(text, place.entry.index, wanted.document), wanted));
}

/** Reads the text back before it replaces anything: a file that this program writes must be good. */
function checked(text: string, { resource }: Wanted): string {
  const content = readResourceFile(Buffer.from(text));
  if (!content.ok) throw new CopepodError("invalid", `the file would be bad: ${content.problems[0]?.reason}`);
  const written = content.entries.find(({ key }) => key === entryKey(resource));
  if (!isDeepStrictEqual(written?.resource, resource)) throw new Error("the rewritten file says something else");
  return text;
}

function freePath(folder: string, { kind, metadata }: Resource): string {
  // A name holds no dot, so the two forms can't meet.
  const name = metadata.namespace === defaultNamespace ? metadata.name : `${metadata.namespace}.${metadata.name}`;
  const base = join(folder, `${kind.toLowerCase()}-${name}`);
  if (!existsSync(`${base}.yaml`)) return `${base}.yaml`;
  for (let suffix = 2; ; suffix++) {
    if (!existsSync(`${base}.${suffix}.yaml`)) return `${base}.${suffix}.yaml`;
  }
}
