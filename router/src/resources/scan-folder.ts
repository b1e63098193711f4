import { type BigIntStats, constants, type Dirent } from "node:fs";
import { lstat, open, readdir, realpath } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { Problem } from "@copepod/core/admin-api";

/** Files that one folder may hold. */
export const maxFiles = 1_000;
/** Folders and other files beside them that are looked at; more means that this is not a resources folder. */
const maxSeenEntries = 20_000;
/** File times move in steps of the kernel's clock, at most this long. */
const clockTickMs = 20;

export interface SeenFile {
  /** Where the bytes are: differs from the path for a symbolic link within the folder. */
  readonly target: string;
  /** Differs as soon as the file is written or replaced. */
  readonly fingerprint: string;
}

export interface Scan {
  /** By path, in the order of paths. */
  readonly files: ReadonlyMap<string, SeenFile>;
  readonly problems: readonly Problem[];
}

/**
 * Lists the resource files below a folder without opening them. Hidden files are left alone: editors and other
 * programs keep their own things there.
 * @param known files that keep their place when there are too many. @throws when the folder itself can't be read
 */
export async function scanFolder(folder: string, known: ReadonlySet<string>): Promise<Scan> {
  const root = await realpath(folder);
  const found = new Map<string, SeenFile>();
  const problems: Problem[] = [];
  for (const path of await listPaths(folder, problems)) {
    const seen = await look(path, root);
    if (seen && "reason" in seen) problems.push({ file: path, reason: seen.reason });
    else if (seen) found.set(path, seen);
  }
  const { files, left } = limit(found, known);
  if (left.length > 0) {
    problems.push({
      file: folder,
      reason: `has more than ${maxFiles} files; not read: ${left.slice(0, 3).join(", ")}`,
    });
  }
  return { files, problems };
}

/** At most `limitBytes + 1` bytes of a file, never through a link that was put there meanwhile. */
export async function readBounded(path: string, limitBytes: number): Promise<Buffer> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const buffer = Buffer.alloc(Math.min((await file.stat()).size, limitBytes) + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

async function listPaths(folder: string, problems: Problem[]): Promise<string[]> {
  const paths: string[] = [];
  const waiting = [folder];
  let seenEntries = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const entries = next === folder ? await list(next) : await listOrReport(next, problems);
    seenEntries += entries.length;
    if (seenEntries > maxSeenEntries) throw new Error(`it holds more than ${maxSeenEntries} files and folders`);
    const { folders, files } = sortOut(entries);
    waiting.push(...folders.map((name) => join(next, name)));
    paths.push(...files.map((name) => join(next, name)));
  }
  return paths.sort();
}

const list = (folder: string): Promise<Dirent[]> => readdir(folder, { withFileTypes: true });

async function listOrReport(folder: string, problems: Problem[]): Promise<Dirent[]> {
  try {
    return await list(folder);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) problems.push({ file: folder, reason: readFailure(error) });
    return [];
  }
}

function sortOut(entries: readonly Dirent[]): { folders: string[]; files: string[] } {
  const visible = entries.filter(({ name }) => !name.startsWith("."));
  const names = (wanted: readonly Dirent[]) => wanted.map(({ name }) => name);
  return {
    folders: names(visible.filter((entry) => entry.isDirectory())),
    files: names(visible.filter((entry) => !entry.isDirectory() && /\.ya?ml$/.test(entry.name))),
  };
}

async function look(path: string, root: string): Promise<SeenFile | { reason: string } | undefined> {
  try {
    const link = await lstat(path);
    const target = link.isSymbolicLink() ? await realpath(path) : path;
    if (target !== path && !isWithin(target, root)) {
      return { reason: "is a symbolic link that leaves the folder, so it is not followed" };
    }
    const stats = await lstat(target, { bigint: true });
    if (!stats.isFile()) return { reason: "is not a regular file" };
    return { target, fingerprint: fingerprintOf(stats) };
  } catch (error) {
    // Gone between listing and looking.
    if (hasCode(error, "ENOENT")) return undefined;
    return { reason: readFailure(error) };
  }
}

function fingerprintOf({ ino, size, mtimeNs, ctimeNs, mtimeMs }: BigIntStats): string {
  // Two writes within one tick of the kernel's clock look alike, so a fresh file counts as changed once more later.
  const settled = Date.now() - Number(mtimeMs) > clockTickMs;
  return [ino, size, mtimeNs, ctimeNs, settled].join(":");
}

function limit(found: ReadonlyMap<string, SeenFile>, known: ReadonlySet<string>) {
  if (found.size <= maxFiles) return { files: found, left: [] };
  const paths = [...found.keys()];
  const inLine = new Set([...paths.filter((path) => known.has(path)), ...paths]);
  const chosen = new Set([...inLine].slice(0, maxFiles));
  return {
    files: new Map([...found].filter(([path]) => chosen.has(path))),
    left: paths.filter((path) => !chosen.has(path)),
  };
}

function isWithin(path: string, root: string): boolean {
  const way = relative(root, path);
  return way !== ".." && !way.startsWith(`..${sep}`);
}

export const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && "code" in error && error.code === code;

/** Why a file or folder can't be read, for a person. */
export function readFailure(error: unknown): string {
  if (hasCode(error, "EACCES")) return "can't be read: no permission";
  return `can't be read: ${error instanceof Error ? error.message : String(error)}`;
}
