import { randomUUID } from "node:crypto";
import { chmod, readdir, rename, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CopepodError, parseInput } from "@copepod/core/errors";
import { resourceNameSchema } from "@copepod/crds/fields";
import { z } from "zod";
import { makeFolder } from "./make-folder.ts";

/** Longest value of a key, in bytes. */
export const maxKeyBytes = 8 * 1024;
/** What others write is done by then; what is older was left by somebody who was killed. */
const leftoverMs = 60_000;
/** A proxy looks for no shorter one in answers: it would find it everywhere. */
const minEchoedKeyLength = 12;
/** Key of a secret that has only one. */
export const defaultKey = "key";

const keyPattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

/** A file `<name>/<key>` in the folder of keys. */
export interface KeyRef {
  readonly name: string;
  readonly key: string;
}

export interface StoredKey extends KeyRef {
  /** UTC ms of the last change. */
  readonly changedAt: number;
}

const refSchema = z.object({
  name: resourceNameSchema,
  key: z.string().max(253).regex(keyPattern, "must be letters, digits, dots, dashes and underscores"),
});

/** @throws CopepodError `invalid` naming the part */
export const checkKeyRef = (ref: KeyRef): KeyRef => parseInput(refSchema, ref);

/** A value as it was typed or piped, without what surrounds it. @throws CopepodError `invalid`, never with the value in it */
export function checkKeyValue(text: string): string {
  const value = text.trim();
  if (value === "") throw new CopepodError("invalid", "The key is empty.");
  if (Buffer.byteLength(value) > maxKeyBytes) {
    throw new CopepodError("invalid", `The key is longer than ${maxKeyBytes} bytes.`);
  }
  if (!/^[ -~]*$/.test(value)) throw new CopepodError("invalid", "The key must be one line of printable ASCII.");
  return value;
}

/** What is odd about a value that may be right all the same; never with the value in it. */
export function oddities(value: string): string[] {
  const isQuoted = /^(["']).*\1$/.test(value);
  return [
    ...(isQuoted
      ? ["It was stored with the quotes around it. If they don't belong to it, store it again without."]
      : []),
    ...(value.length < minEchoedKeyLength
      ? [`It is shorter than ${minEchoedKeyLength} characters: if a host repeats it in an answer, agents see it.`]
      : []),
  ];
}

/** Writes or replaces a key; whoever reads it meanwhile gets the old or the new one, whole. */
export async function writeKey(folder: string, { name, key }: KeyRef, value: string): Promise<void> {
  const own = join(folder, name);
  await makeFolder(own, 0o700);
  for (const path of [folder, own]) await chmod(path, 0o700);
  // Never taken for a key: those don't start with a dot.
  const fresh = join(own, `.${key}.${randomUUID()}.new`);
  await writeFile(fresh, value, { mode: 0o600, flag: "wx", flush: true });
  await rename(fresh, join(own, key));
  await removeLeftovers(own);
}

async function removeLeftovers(own: string): Promise<void> {
  for (const name of (await readdir(own)).filter((one) => /^\..*\.new$/.test(one))) {
    const found = await stat(join(own, name)).catch(() => undefined);
    if (found && found.mtimeMs < Date.now() - leftoverMs) await rm(join(own, name), { force: true });
  }
}

/** @returns whether there was one. */
export async function removeKey(folder: string, { name, key }: KeyRef): Promise<boolean> {
  try {
    await rm(join(folder, name, key));
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
  // Stays while it holds other keys.
  await rmdir(join(folder, name)).catch(() => undefined);
  return true;
}

export async function hasKey(folder: string, { name, key }: KeyRef): Promise<boolean> {
  return await stat(join(folder, name, key)).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** In the order of their names. Values are not read. */
export async function listKeys(folder: string): Promise<readonly StoredKey[]> {
  const files = await readdir(folder, { withFileTypes: true, recursive: true }).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const refs = files
    .filter((file) => file.isFile() && keyPattern.test(file.name))
    .map((file) => ({ name: file.parentPath.slice(folder.length + 1), key: file.name }))
    .filter((ref) => refSchema.safeParse(ref).success)
    .sort((a, b) => (`${a.name}/${a.key}` < `${b.name}/${b.key}` ? -1 : 1));
  return await Promise.all(
    refs.map(async (ref) => ({ ...ref, changedAt: Math.floor((await stat(join(folder, ref.name, ref.key))).mtimeMs) })),
  );
}

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT";
