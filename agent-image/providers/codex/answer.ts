import type { Item } from "./protocol.ts";

/**
 * The final text of a turn. Older models don't say which of their texts is the final one: what is followed by a tool
 * was a remark on the way. A text that was final when a follow-up came stays a part of the answer.
 */
export class Answer {
  readonly #final: string[] = [];
  #open: string[] = [];

  get text(): string {
    return [...this.#final, ...this.#open].join("\n");
  }

  /** @param item one that has ended */
  said(item: Extract<Item, { type: "agentMessage" }>): void {
    if (item.phase === "commentary") return;
    if (item.phase === null) this.#open.push(item.text);
    else this.#final.push(item.text);
  }

  toolBegan(): void {
    this.#open = [];
  }

  followUpCame(): void {
    this.#final.push(...this.#open);
    this.#open = [];
  }
}
