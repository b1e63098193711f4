import { join } from "node:path";
import type { Line } from "@copepod/core/admin-api";
import type { Bytes } from "@copepod/core/blobs";
import { CopepodError } from "@copepod/core/errors";
import { type MessageFile, safeFileName } from "@copepod/core/files";
import type { Conversation } from "../chat/conversation.ts";
import { printable } from "../chat/render.ts";
import type { Context } from "../context.ts";
import { homeLayout } from "../home/layout.ts";
import { openLocalFile } from "./local-file.ts";
import { saveFile } from "./save.ts";

/** A transfer that takes longer says how far it is, and again after the same time. */
const progressMs = 2_000;

export interface TransfersDeps {
  readonly conversation: Pick<Conversation, "transfer">;
  /** Folder of the person. */
  readonly userHome: string;
  /** Where files of the agent are saved; undefined = a folder per session below `received`. */
  readonly folder: string | undefined;
  /** Default for `folder`, without the session. */
  readonly received: string;
  /** Milliseconds that never jump. */
  readonly now: () => number;
  tell(sentence: string): void;
}

export interface SavedFile {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

/** @param folder where files of the agent are saved; has a default. */
export function openTransfers(
  { settings, userHome }: Pick<Context, "settings" | "userHome">,
  conversation: Conversation,
  { tell, folder }: Pick<TransfersDeps, "tell"> & { readonly folder?: string | undefined },
): Transfers {
  const { received } = homeLayout(settings.home);
  return new Transfers({ conversation, userHome, folder, received, tell, now: () => performance.now() });
}

/** Brings files to the router and back. */
export class Transfers {
  readonly #deps: TransfersDeps;

  constructor(deps: TransfersDeps) {
    this.#deps = deps;
  }

  /** @throws CopepodError that says what is wrong with the path, or the code of a refusal */
  async upload(path: string, signal: AbortSignal): Promise<MessageFile> {
    await using file = await openLocalFile(path, this.#deps.userHome);
    const { name, bytes } = file;
    const { blob } = await this.#deps.conversation.transfer(
      (blobs) => blobs.put(this.#watch(file.read(), `sending ${name}`, bytes), bytes, signal),
      signal,
    );
    return { name, bytes, blob };
  }

  /** Saves the files of a line. One that can't be saved is told; the others are saved all the same. */
  async save({ files = [], session = "unknown" }: Line, signal: AbortSignal): Promise<SavedFile[]> {
    const folder = this.#deps.folder ?? join(this.#deps.received, safeFileName(session));
    const saved: SavedFile[] = [];
    for (const file of files) {
      try {
        const path = await this.#save(file, folder, signal);
        saved.push({ name: file.name, path, bytes: file.bytes });
      } catch (error) {
        signal.throwIfAborted();
        const reason = error instanceof Error ? error.message : String(error);
        this.#deps.tell(printable(`${file.name} could not be saved: ${reason}`));
      }
    }
    return saved;
  }

  #save(file: MessageFile, folder: string, signal: AbortSignal): Promise<string> {
    return saveFile(file, folder, async (write) => {
      await this.#deps.conversation.transfer(async (blobs) => {
        const body = await blobs.get(file.blob, signal);
        await write(this.#watch(body, `saving ${file.name}`, file.bytes));
      }, signal);
    });
  }

  /** The same bytes; never more than were announced. */
  async *#watch(body: Bytes, what: string, total: number): Bytes {
    let bytes = 0;
    let toldAt = this.#deps.now();
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes > total) throw new CopepodError("invalid", "it is longer than it was said to be");
      yield chunk;
      if (this.#deps.now() - toldAt < progressMs) continue;
      toldAt = this.#deps.now();
      this.#deps.tell(printable(`${what}: ${Math.floor((100 * bytes) / total)} %`));
    }
  }
}
