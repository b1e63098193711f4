import { randomUUID } from "node:crypto";
import { constants, type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CopepodError } from "@copepod/core/errors";

/*
 * Copepod's own files in folders that the agent can shape. Whatever it has put in their place, be it a pipe, a device, a
 * link or a folder: nothing here waits for it, follows it, or reads it without end.
 */

const neverWait = constants.O_NOFOLLOW | constants.O_NONBLOCK;
const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Less what the umask takes. */
const defaultMode = 0o666;

/**
 * @param access flags of `open`
 * @throws Error also when it is no regular file
 */
export async function openAgentFile(path: string, access: number = constants.O_RDONLY): Promise<FileHandle> {
  const file = await open(path, access | neverWait, defaultMode);
  const stat = await file.stat();
  if (stat.isFile()) return file;
  await file.close();
  throw new CopepodError("invalid", `${path} is ${stat.isDirectory() ? "a folder" : "no regular file"}`);
}

/** The text, or its beginning when it is longer. @throws Error as `openAgentFile` */
export async function readAgentFile(path: string, maxBytes: number): Promise<string> {
  await using file = await openAgentFile(path);
  const length = Math.min((await file.stat()).size, maxBytes);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
  return buffer.toString("utf8", 0, bytesRead);
}

/** With its folder. @throws Error `EEXIST` when anything lies there already */
export async function createAgentFile(path: string, text: string, mode: number = defaultMode): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await using file = await open(path, newFile, mode);
  await file.writeFile(text);
}

/**
 * With its folder, and in one step, so that a crash leaves the old or the new one. Whatever lies there is replaced.
 * @throws CopepodError `invalid`
 */
export async function writeAgentFile(path: string, text: string, mode: number = defaultMode): Promise<void> {
  const fresh = join(dirname(path), `.${randomUUID()}.new`);
  try {
    await onDisk(
      path,
      createAgentFile(fresh, text, mode).then(() => replace(fresh, path)),
    );
  } catch (error) {
    await rm(fresh, { force: true }).catch(() => undefined);
    throw error;
  }
}

async function replace(fresh: string, path: string): Promise<void> {
  try {
    await rename(fresh, path);
  } catch (error) {
    if (!isRefusal(error, "EISDIR")) throw error;
    await rm(path, { recursive: true, force: true });
    await rename(fresh, path);
  }
}

/** Whatever lies there is replaced. @throws CopepodError `invalid` */
export async function emptyAgentFolder(path: string): Promise<void> {
  await onDisk(
    path,
    rm(path, { recursive: true, force: true }).then(() => mkdir(path, { recursive: true })),
  );
}

/** What the disk refuses, as a sentence. @throws CopepodError `invalid` */
export async function onDisk<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof CopepodError) throw cause;
    const message = `${path} can't be written (${refusalOf(cause)}); look at what lies there, and at the disk`;
    throw new CopepodError("invalid", message, { cause });
  }
}

export const isRefusal = (error: unknown, code: string): boolean => refusalOf(error) === code;

/** `ENOENT`, `EACCES` … */
export const refusalOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "unknown error";
