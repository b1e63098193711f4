import { identityOf, keyOf } from "@copepod/core/addresses";
import type { InboundEvent } from "@copepod/core/channel-api";
import type { Conversation, ConversationInput, QueueStore } from "../queue/queue-store.ts";

/** Conversations kept in memory; "last seen" in the queue lags by at most the time below. */
const maxCached = 20_000;
const freshForMs = 60_000;

interface Entry {
  readonly conversation: Promise<Conversation>;
  readonly loadedAt: number;
}

/** Finds the rows of a conversation and its sender, and asks the queue at most once a minute for each pair. */
export class Directory {
  readonly #store: Pick<QueueStore, "introduce">;
  readonly #monotonic: () => number;
  readonly #cache = new Map<string, Entry>();

  constructor(store: Pick<QueueStore, "introduce">, monotonic: () => number) {
    this.#store = store;
    this.#monotonic = monotonic;
  }

  async introduce(input: ConversationInput, sender: InboundEvent["sender"] | undefined): Promise<Conversation> {
    const key = JSON.stringify([input.namespace, input.channel, input.address, input.name, sender?.id, sender?.name]);
    const now = this.#monotonic();
    const cached = this.#cache.get(key);
    if (cached && now - cached.loadedAt < freshForMs) return await cached.conversation;
    const identity = sender && {
      id: keyOf(input.namespace, identityOf(input.channel, sender.id)),
      displayName: sender.name,
    };
    const conversation = this.#store.introduce(input, identity);
    this.#cache.delete(key);
    this.#cache.set(key, { conversation, loadedAt: now });
    this.#forgetOldest();
    // A failure is not remembered: the next event asks again.
    conversation.catch(() => this.#cache.delete(key));
    return await conversation;
  }

  #forgetOldest(): void {
    if (this.#cache.size <= maxCached) return;
    const [oldest] = this.#cache.keys();
    if (oldest !== undefined) this.#cache.delete(oldest);
  }
}
