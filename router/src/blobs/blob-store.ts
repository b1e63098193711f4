import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { CopepodError } from "@copepod/core/errors";
import { blobSchema, type Uploaded } from "@copepod/core/files";
import type { Clock, QueueStore } from "../queue/queue-store.ts";
import { type Upload, Uploads } from "./uploads.ts";

/** What all blobs together may take of the disk. */
const defaultQuotaBytes = 10 * 1024 ** 3;
/** A blob without a row stays for this long after it was uploaded: its message is on the way. */
export const blobGraceMs = 60 * 60_000;
/** The same when there is no room for another one. */
export const blobGraceWhenFullMs = 60_000;

export interface BlobStoreOptions {
  /** Made when it is missing. Used by one router at a time, which holds the queue. */
  readonly folder: string;
  readonly store: Pick<QueueStore, "blobStored" | "unsentBlobs" | "blobsIn" | "forgetBlobs">;
  readonly clock: Clock;
  readonly quotaBytes?: number;
}

/** A blob to be read. */
export interface OpenedBlob {
  readonly bytes: number;
  readonly stream: Readable;
}

/**
 * The bytes of files, beside the queue: `<first two digits of the hash>/<hash>`. Written beside that, and moved there
 * when they are on the disk; so what has its name is whole.
 */
export class BlobStore {
  readonly #options: Required<BlobStoreOptions>;
  /** Bytes of all blobs, and of those that are on the way. */
  #used = 0;
  /** One after the other: no blob is forgotten between its file and its row. */
  #last: Promise<unknown> = Promise.resolve();
  readonly #uploads: Uploads;

  private constructor(options: BlobStoreOptions) {
    this.#options = { quotaBytes: defaultQuotaBytes, ...options };
    this.#uploads = new Uploads(options.store);
  }

  /** Removes what a router that was killed has left behind. */
  static async open(options: BlobStoreOptions): Promise<BlobStore> {
    const blobs = new BlobStore(options);
    await rm(blobs.#incoming, { recursive: true, force: true });
    await makeFolder(blobs.#incoming);
    for (let prefix = 0; prefix < 256; prefix++) await blobs.#tidy(prefix.toString(16).padStart(2, "0"));
    return blobs;
  }

  /**
   * Takes bytes as they come, hashing them on their way to the disk.
   * @param session who sends them; undefined = the owner.
   * @throws CopepodError `tooLarge`, `quotaExceeded`, `diskFull`; `invalid` when they break off. Then nothing is left of them.
   */
  async put(source: Readable, session: string | undefined): Promise<Uploaded> {
    using upload = this.#uploads.begin(session);
    await upload.check();
    const path = join(this.#incoming, randomUUID());
    const hash = createHash("sha256");
    let bytes = 0;
    const measure = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.#reserve(chunk.length, upload).then(() => {
          bytes += chunk.length;
          hash.update(chunk);
          done(null, chunk);
        }, done);
      },
    });
    let isKept = false;
    try {
      // The source stays whole: the refusal goes back over its connection.
      const chunks = source.iterator({ destroyOnReturn: false });
      await pipeline(chunks, measure, createWriteStream(path, { flags: "wx", mode: 0o600, flush: true }));
      const uploaded = { blob: hash.digest("hex"), bytes };
      isKept = await this.#inTurn(async () => {
        await upload.check();
        return await this.#keep(path, uploaded, session);
      });
      return uploaded;
    } catch (error) {
      throw this.#translate(error);
    } finally {
      if (!isKept) this.#used -= bytes;
      await rm(path, { force: true });
    }
  }

  /** @throws CopepodError `notFound` */
  async open(blob: string): Promise<OpenedBlob> {
    try {
      const file = await open(this.#pathOf(blob));
      const { size: bytes } = await file.stat();
      return { bytes, stream: file.createReadStream() };
    } catch (cause) {
      throw new CopepodError("notFound", "there is no such file; those of old messages are removed with them", {
        cause,
      });
    }
  }

  /** Removes what no row refers to any more. */
  async sweep(graceMs = blobGraceMs): Promise<void> {
    for (;;) {
      const removed = await this.#inTurn(async () => {
        const forgotten = await this.#options.store.forgetBlobs(this.#options.clock.now() - graceMs);
        for (const { blob, bytes } of forgotten) {
          await rm(this.#pathOf(blob), { force: true });
          this.#used -= bytes;
        }
        return forgotten.length;
      });
      if (removed === 0) return;
    }
  }

  /** Where bytes are written before they have a name. */
  get #incoming(): string {
    return join(this.#options.folder, "incoming");
  }

  #pathOf = (blob: string): string => join(this.#options.folder, blob.slice(0, 2), blob);

  /** The row comes last: what it names is there, whenever the router is killed. */
  async #keep(path: string, uploaded: Uploaded, session: string | undefined): Promise<boolean> {
    const target = this.#pathOf(uploaded.blob);
    const folder = dirname(target);
    await makeFolder(folder);
    await rename(path, target);
    await syncFolder(folder);
    return await this.#options.store.blobStored(uploaded, session);
  }

  /** Counts the blobs of one folder, and removes files that never got their row, or have lost it. */
  async #tidy(prefix: string): Promise<void> {
    const known = new Set<string>();
    for (const { blob, bytes } of await this.#options.store.blobsIn(prefix)) {
      known.add(blob);
      this.#used += bytes;
    }
    const folder = join(this.#options.folder, prefix);
    const names = await readdir(folder).catch(() => []);
    const unknown = names.filter((name) => blobSchema.safeParse(name).success && !known.has(name));
    for (const name of unknown) await rm(join(folder, name), { force: true });
  }

  async #reserve(bytes: number, upload: Upload): Promise<void> {
    upload.take(bytes);
    const { quotaBytes } = this.#options;
    if (this.#used + bytes > quotaBytes) await this.sweep(blobGraceWhenFullMs);
    if (this.#used + bytes > quotaBytes) {
      const all = `All files of messages together may take ${quotaBytes} bytes, and they do.`;
      throw new CopepodError("quotaExceeded", `${all} Send it again when those of old messages have gone.`);
    }
    this.#used += bytes;
  }

  #translate(error: unknown): unknown {
    if (error instanceof CopepodError) return error;
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOSPC" || code === "EDQUOT") {
      const message = `The disk that holds ${this.#options.folder} is full. Nothing was changed.`;
      return new CopepodError("diskFull", message, { cause: error });
    }
    if (code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE") {
      return new CopepodError("invalid", "the upload broke off", { cause: error });
    }
    return error;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}

/** As a rename, a new folder is on the disk when the one above it is. */
async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first !== undefined) await syncFolder(dirname(first));
}

/** A rename is on the disk when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder);
  await handle.sync();
}
