import { createHash } from "node:crypto";
import { constants, type FileHandle, mkdir, open, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Blobs } from "@copepod/core/blobs";
import { CopepodError, codeOf } from "@copepod/core/errors";
import type { MessageFile } from "@copepod/core/files";
import type { MailboxMessage } from "@copepod/core/messages";
import type { Logger } from "pino";
import { openAgentFile } from "./agent-files.ts";
import type { Life } from "./life.ts";
import type { Retry } from "./retry.ts";

/** A file of a message as the agent finds it. */
export interface FoundFile extends MessageFile {
  /** Where it lies. */
  readonly path?: string;
  /** Why it does not. */
  readonly problem?: string;
}

export interface FilesInDeps {
  readonly blobs: Blobs;
  readonly workspace: string;
  readonly retry: Retry;
  readonly life: Life;
  readonly log: Logger;
}

/** Puts the files of messages into the workspace, as `files/<seq>-<name>`, and says with each one where it is. */
export async function fetchFiles(messages: readonly MailboxMessage[], deps: FilesInDeps): Promise<MailboxMessage[]> {
  const found: MailboxMessage[] = [];
  for (const message of messages) {
    if (message.kind !== "chat" && message.kind !== "agent") found.push(message);
    else found.push({ ...message, body: { ...message.body, ...(await findFiles(message, deps)) } });
  }
  return found;
}

type WithFiles = Extract<MailboxMessage, { kind: "chat" | "agent" }>;

async function findFiles({ seq, body }: WithFiles, deps: FilesInDeps): Promise<{ files?: FoundFile[] }> {
  if (!body.files) return {};
  const files: FoundFile[] = [];
  for (const file of body.files) files.push(await findFile(file, `${seq}-${file.name}`, deps));
  return { files };
}

/** The agent hears what people say also when a file of it is out of reach. */
async function findFile(file: MessageFile, name: string, deps: FilesInDeps): Promise<FoundFile> {
  const { retry, life, log, blobs, workspace } = deps;
  try {
    const path = join(await local(ownFolder(workspace)), name);
    if (!(await isThere(path, file))) {
      await retry("blob", life.ended, ({ signal }) => receive(file, path, { blobs, signal }));
    }
    return { ...file, path };
  } catch (error) {
    life.ended.throwIfAborted();
    const code = codeOf(error);
    if (code === "superseded" || code === "unauthorized") throw error;
    log.warn({ err: error, blob: file.blob }, "a file of a message is out of reach");
    return { ...file, problem: error instanceof CopepodError ? error.message : "a fault inside Copepod" };
  }
}

/** The agent may have put anything in the place of the folder; files go into the workspace and nowhere else. */
async function ownFolder(workspace: string): Promise<string> {
  const folder = join(workspace, "files");
  await mkdir(folder, { recursive: true });
  if ((await realpath(folder)) === join(await realpath(workspace), "files")) return folder;
  throw new CopepodError("invalid", "the folder for files is a link; remove it, and have the file sent again");
}

/** An earlier try at the same message has it already. */
async function isThere(path: string, file: MessageFile): Promise<boolean> {
  try {
    await using known = await openAgentFile(path);
    const { size } = await known.stat();
    if (size !== file.bytes) return false;
    const hash = createHash("sha256");
    // No further than that, should it grow meanwhile.
    if (size > 0)
      for await (const chunk of known.createReadStream({ end: size - 1, autoClose: false })) hash.update(chunk);
    return hash.digest("hex") === file.blob;
  } catch {
    return false;
  }
}

interface Source {
  readonly blobs: Blobs;
  readonly signal: AbortSignal;
}

/** Whatever lies in its place is replaced, never followed or written into. */
async function receive(file: MessageFile, path: string, { blobs, signal }: Source): Promise<void> {
  const body = await blobs.get(file.blob, signal);
  await local(rm(path, { recursive: true, force: true }));
  await using target = await local(open(path, newFile, 0o600));
  try {
    await write(body, target, file);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

async function write(body: AsyncIterable<Uint8Array>, target: FileHandle, file: MessageFile): Promise<void> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > file.bytes) break;
    hash.update(chunk);
    await local(target.writeFile(chunk));
  }
  if (bytes !== file.bytes || hash.digest("hex") !== file.blob) {
    throw new CopepodError("invalid", "what arrived is not what was sent");
  }
}

/** What the disk refuses it refuses again: no reason to repeat the call. */
async function local<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (cause instanceof CopepodError) throw cause;
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
    throw new CopepodError("invalid", `it can't be written into the workspace (${code})`, { cause });
  }
}
