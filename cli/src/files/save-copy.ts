import { open, rename, rm } from "node:fs/promises";
import type { Bytes } from "@copepod/core/blobs";
import { CopepodError } from "@copepod/core/errors";

/**
 * Writes a file for its owner alone, which is whole or not there.
 * @throws CopepodError `invalid` naming a path that can't be written; what the body throws
 */
export async function saveCopy(body: Bytes, path: string): Promise<{ readonly path: string; readonly bytes: number }> {
  const part = `${path}.partial`;
  try {
    const bytes = await write(body, part);
    await rename(part, path);
    return { path, bytes };
  } catch (error) {
    await rm(part, { force: true }).catch(() => {});
    if (error instanceof CopepodError || !(error instanceof Error && "syscall" in error)) throw error;
    throw new CopepodError("invalid", `${path} can't be written: ${error.message}`, { cause: error });
  }
}

async function write(body: Bytes, path: string): Promise<number> {
  await using file = await open(path, "w", 0o600);
  for await (const chunk of body) await file.writeFile(chunk);
  await file.sync();
  return (await file.stat()).size;
}
