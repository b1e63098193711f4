import { createHash, type Hash } from "node:crypto";
import { constants, type FileHandle, open, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import type { Blobs } from "@copepod/core/blobs";
import { CopepodError } from "@copepod/core/errors";
import { type MessageFile, safeFileName } from "@copepod/core/files";
import { maxFileBytes } from "@copepod/core/limits";
import type { Life } from "./life.ts";
import type { Retry } from "./retry.ts";

export interface FilesOutDeps {
  readonly blobs: Blobs;
  readonly workspace: string;
  readonly agentDir: string;
  readonly retry: Retry;
  readonly life: Life;
}

/**
 * Uploads a file of the agent's own folders.
 * @param path absolute, or from the workspace
 * @throws CopepodError `notFound`, `invalid`, `tooLarge`, `quotaExceeded`
 */
export async function uploadFile(path: string, deps: FilesOutDeps): Promise<MessageFile> {
  const { retry, life, blobs } = deps;
  await using file = await openOwn(path, deps);
  const bytes = await sizeOf(file, path);
  const blob = await retry("blob", life.ended, async ({ signal }) => {
    const hash = createHash("sha256");
    const uploaded = await blobs.put(read(file, bytes, hash), bytes, signal);
    if (uploaded.blob === hash.digest("hex")) return uploaded.blob;
    throw new CopepodError("invalid", "what arrived is not what was sent; send it again");
  });
  return { name: safeFileName(basename(path)), blob, bytes };
}

/** Opened once: what is checked and what is sent are the same file, whatever happens to its name meanwhile. */
async function openOwn(path: string, { workspace, agentDir }: FilesOutDeps): Promise<FileHandle> {
  const asked = resolve(workspace, path);
  try {
    const folder = await realpath(dirname(asked));
    const roots = await Promise.all([realpath(workspace), realpath(agentDir)]);
    if (!roots.some((root) => `${folder}${sep}`.startsWith(`${root}${sep}`))) {
      throw new CopepodError(
        "invalid",
        `"${path}" lies outside of your workspace and agent folder; copy it there first`,
      );
    }
    return await open(join(folder, basename(asked)), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    throw toRefusal(error, path);
  }
}

async function sizeOf(file: FileHandle, path: string): Promise<number> {
  const stat = await file.stat();
  if (!stat.isFile()) throw new CopepodError("invalid", `"${path}" is no regular file`);
  if (stat.size <= maxFileBytes) return stat.size;
  throw new CopepodError("tooLarge", `"${path}" has ${stat.size} bytes; a file may have ${maxFileBytes}`);
}

async function* read(file: FileHandle, bytes: number, hash: Hash): AsyncGenerator<Buffer> {
  if (bytes === 0) return;
  let read = 0;
  for await (const chunk of file.createReadStream({ start: 0, end: bytes - 1, autoClose: false })) {
    read += chunk.length;
    hash.update(chunk);
    yield chunk;
  }
  if (read < bytes) throw new CopepodError("invalid", "the file changed while it was read; send it again");
}

function toRefusal(error: unknown, path: string): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return new CopepodError("notFound", `there is no file "${path}"`, { cause: error });
    case "ELOOP":
      return new CopepodError("invalid", `"${path}" is a symbolic link; name the file itself`, { cause: error });
    case "EACCES":
    case "EPERM":
    case "ENAMETOOLONG":
    case "ERR_INVALID_ARG_VALUE":
    case "ENXIO":
      return new CopepodError("invalid", `"${path}" can't be read (${code})`, { cause: error });
    default:
      return error;
  }
}
