import { CopepodError } from "@copepod/core/errors";
import { maxFileBytes, maxUnsentBytes, maxUnsentFiles } from "@copepod/core/limits";
import type { FileRoom, QueueStore } from "../queue/queue-store.ts";

type Store = Pick<QueueStore, "unsentBlobs">;

/** Uploads that are running. They count as what their session has uploaded: else many at once would pass its bounds. */
export class Uploads {
  readonly #store: Store;
  readonly #running = new Map<string, Set<Upload>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** @param session who sends; undefined = the owner, who may fill the disk. */
  begin(session: string | undefined): Upload {
    if (session === undefined) return new Upload(async () => undefined, new Set());
    const running = this.#running.get(session) ?? new Set();
    this.#running.set(session, running);
    return new Upload(
      () => this.#store.unsentBlobs(session),
      running,
      () => running.size === 0 && this.#running.delete(session),
    );
  }
}

/** One upload, until it is stored or refused. */
export class Upload implements Disposable {
  readonly #read: () => Promise<FileRoom | undefined>;
  readonly #running: Set<Upload>;
  readonly #onEnd: () => void;
  #stored: FileRoom | undefined;
  #bytes = 0;

  /** @param read what the session has uploaded already; undefined = nothing bounds it */
  constructor(read: () => Promise<FileRoom | undefined>, running: Set<Upload>, onEnd: () => void = () => {}) {
    [this.#read, this.#running, this.#onEnd] = [read, running, onEnd];
    running.add(this);
  }

  /** @throws CopepodError `quotaExceeded` */
  async check(): Promise<void> {
    this.#stored = await this.#read();
    this.#assertRoom();
  }

  /** More bytes have come. @throws CopepodError `tooLarge`, `quotaExceeded` */
  take(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > maxFileBytes) throw fileTooLarge();
    this.#assertRoom();
  }

  [Symbol.dispose](): void {
    this.#running.delete(this);
    this.#onEnd();
  }

  #assertRoom(): void {
    if (!this.#stored) return;
    const files = this.#stored.files + this.#running.size;
    const bytes = this.#stored.bytes + [...this.#running].reduce((sum, upload) => sum + upload.#bytes, 0);
    if (files <= maxUnsentFiles && bytes <= maxUnsentBytes) return;
    const bound = `A session may have ${maxUnsentFiles} files and ${maxUnsentBytes} bytes that no message has yet.`;
    throw new CopepodError("quotaExceeded", `${bound} Send what was uploaded, or wait an hour: then it is removed.`);
  }
}

export const fileTooLarge = (): CopepodError =>
  new CopepodError("tooLarge", `the file is larger than ${maxFileBytes} bytes`);
