import { writeWhole } from "../machine/files.ts";
import { type NodePart, type NodeStatus, type Progress, startingStatus } from "./spec.ts";

/** Tells the world outside how far the node is. */
export class StatusWriter {
  readonly #file: string;
  #status: NodeStatus = startingStatus();
  #written: Promise<void>;

  constructor(file: string) {
    this.#file = file;
    this.#written = this.#write();
  }

  async set(part: NodePart, progress: Progress): Promise<void> {
    this.#status = { ...this.#status, [part]: progress };
    // One after the other, or an older status could be the last.
    this.#written = this.#written.then(() => this.#write());
    await this.#written;
  }

  async #write(): Promise<void> {
    await writeWhole(this.#file, JSON.stringify(this.#status));
  }
}
