import { createHash } from "node:crypto";
import type { Blobs, Bytes } from "@copepod/core/blobs";
import { CopepodError } from "@copepod/core/errors";
import type { MessageFile, Uploaded } from "@copepod/core/files";

/** Blobs in memory, without a wire: how bytes travel is shown by the router's own tests and by the stories. */
export class FakeBlobs implements Blobs {
  readonly contents = new Map<string, Buffer>();
  /** So many transfers break off after their first bytes. */
  broken = 0;

  /** As if it had been uploaded. */
  store(content: Buffer, name: string): MessageFile {
    const blob = createHash("sha256").update(content).digest("hex");
    this.contents.set(blob, content);
    return { name, blob, bytes: content.length };
  }

  async put(body: Bytes, bytes: number): Promise<Uploaded> {
    const content = Buffer.concat(await Array.fromAsync(body));
    this.#breakOff();
    if (content.length !== bytes) throw new Error(`${content.length} bytes came instead of ${bytes}`);
    const { blob } = this.store(content, "");
    return { blob, bytes };
  }

  async get(blob: string): Promise<Bytes> {
    const content = this.contents.get(blob);
    if (!content) throw new CopepodError("notFound", "there is no such file");
    return this.#send(content);
  }

  async *#send(content: Buffer): Bytes {
    yield content.subarray(0, 1);
    this.#breakOff();
    yield content.subarray(1);
  }

  #breakOff(): void {
    if (this.broken-- > 0) throw new CopepodError("unavailable", "the connection broke");
  }
}
