import { createHash } from "node:crypto";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { join, parse } from "node:path";
import type { Bytes } from "@copepod/core/blobs";
import { CopepodError } from "@copepod/core/errors";
import type { MessageFile } from "@copepod/core/files";
import { makeFolder } from "../home/make-folder.ts";

/** Names that are tried before a person is asked to tidy up. */
const maxNumber = 1_000;

/**
 * Saves a file into a folder under its name, or as `name-2.ending` and so on when another one has it; never over one.
 * A file that is there already with this content stays the only one.
 * @param get each call begins the download anew.
 * @returns its path.
 */
export async function saveFile(
  file: MessageFile,
  folder: string,
  get: (write: (body: Bytes) => Promise<void>) => Promise<void>,
): Promise<string> {
  await makeFolder(folder);
  const place = await reserve(file, folder);
  if (place.isThere) return place.path;
  const part = `${place.path}.part`;
  try {
    await get(async (body) => await write(body, part, file));
    await rename(part, place.path);
    return place.path;
  } catch (error) {
    await Promise.all([part, place.path].map((path) => rm(path, { force: true })));
    throw error;
  }
}

async function reserve(file: MessageFile, folder: string): Promise<{ path: string; isThere: boolean }> {
  const { name, ext } = parse(file.name);
  for (let number = 1; number <= maxNumber; number++) {
    const path = join(folder, number === 1 ? file.name : `${name}-${number}${ext}`);
    const made = await open(path, "wx").catch(ignoreExisting);
    await made?.close();
    if (made) return { path, isThere: false };
    if (await holds(path, file)) return { path, isThere: true };
  }
  throw new CopepodError("conflict", `${folder} has ${maxNumber} files of this name already`);
}

function ignoreExisting(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "EEXIST") throw error;
}

async function holds(path: string, { bytes, blob }: MessageFile): Promise<boolean> {
  try {
    await using known = await open(path);
    const stat = await known.stat();
    if (!stat.isFile() || stat.size !== bytes) return false;
    return (await hashOf(known)) === blob;
  } catch {
    return false;
  }
}

async function hashOf(file: FileHandle): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of file.createReadStream({ autoClose: false })) hash.update(chunk);
  return hash.digest("hex");
}

async function write(body: Bytes, path: string, file: MessageFile): Promise<void> {
  const hash = createHash("sha256");
  await using target = await open(path, "w");
  for await (const chunk of body) {
    hash.update(chunk);
    await target.writeFile(chunk);
  }
  if (hash.digest("hex") !== file.blob) throw new CopepodError("invalid", "what arrived is not what was sent");
}
