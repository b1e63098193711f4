import { randomBytes } from "node:crypto";
import { open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import { hasCode } from "./scan-folder.ts";

/**
 * Replaces a file so that a reader, or a crash, sees the old content or the new, never a part.
 * @throws CopepodError `diskFull` or `unavailable`; the old file is then untouched
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  // Hidden, so that nobody takes it for a resource file.
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  try {
    await writeSynced(temporary, text, await modeOf(path));
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw toError(cause, path);
  }
}

async function writeSynced(path: string, text: string, mode: number): Promise<void> {
  await using file = await open(path, "wx", mode);
  await file.writeFile(text);
  await file.sync();
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}

async function modeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).mode & 0o777;
  } catch {
    return 0o600;
  }
}

function toError(cause: unknown, path: string): CopepodError {
  if (hasCode(cause, "ENOSPC") || hasCode(cause, "EDQUOT")) {
    return new CopepodError("diskFull", `no room on the disk of ${path}`, { cause });
  }
  const why = cause instanceof Error ? cause.message : String(cause);
  return new CopepodError("unavailable", `${path} can't be written: ${why}`, { cause });
}
