import { constants, type FileHandle, open } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import { safeFileName } from "@copepod/core/files";
import { maxFileBytes } from "@copepod/core/limits";
import { ExitError } from "../exit-codes.ts";

/** A file that is going to be sent. */
export interface LocalFile extends AsyncDisposable {
  readonly name: string;
  readonly bytes: number;
  /** The bytes that it had when it was opened, from the start. May be called again. */
  read(): AsyncIterable<Uint8Array>;
}

/**
 * @param path as a person writes it: "~" is their own folder, what is relative starts where they are.
 * @throws CopepodError `notFound`, `invalid`, `tooLarge`
 */
export async function openLocalFile(path: string, userHome: string): Promise<LocalFile> {
  if (path === "") throw new CopepodError("invalid", "the path of the file is empty; give one");
  const absolute = resolve(path === "~" || path.startsWith("~/") ? join(userHome, path.slice(1)) : path);
  const file = await openOrExplain(absolute, path);
  try {
    const bytes = await sizeOf(file, path);
    return {
      name: safeFileName(basename(absolute)),
      bytes,
      read: () => read(file, bytes),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openOrExplain(absolute: string, path: string): Promise<FileHandle> {
  try {
    // Without waiting: a named pipe would never open.
    return await open(absolute, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
    if (code === "ENOENT" || code === "ENOTDIR") throw noSuchFile(path);
    throw new CopepodError("invalid", `"${path}" can't be read (${code})`, { cause });
  }
}

async function sizeOf(file: FileHandle, path: string): Promise<number> {
  const stat = await file.stat();
  if (stat.isDirectory())
    throw new CopepodError("invalid", `"${path}" is a folder; send its files one by one, or packed`);
  if (!stat.isFile()) throw new CopepodError("invalid", `"${path}" is no regular file`);
  if (stat.size <= maxFileBytes) return stat.size;
  throw new CopepodError("tooLarge", `"${path}" has ${stat.size} bytes; a file may have ${maxFileBytes}`);
}

const noSuchFile = (path: string): CopepodError =>
  new ExitError("notFound", "notFound", {
    message: `there is no file "${path}"`,
    cure: "Mend the path: a relative one starts at the working folder.",
  });

/** Asks for one byte more than there should be: files of the system say 0 and have some. */
async function* read(file: FileHandle, bytes: number): AsyncGenerator<Uint8Array> {
  let read = 0;
  for await (const chunk of file.createReadStream({ start: 0, end: bytes, autoClose: false })) {
    read += chunk.length;
    if (read > bytes) break;
    yield chunk;
  }
  if (read === bytes) return;
  throw new CopepodError("invalid", "the file changes while it is read, or is none of a disk; send a copy of it");
}
