import type { AgentMessage } from "@copepod/core/mailbox-api";
import type { MailboxMessage } from "@copepod/core/messages";

/** Messages that reach the provider together, and what an earlier try at them has already said. */
export interface Batch {
  readonly messages: readonly MailboxMessage[];
  readonly alreadySent: readonly AgentMessage[];
}

/**
 * The rows that this runner holds a lease for, in `seq` order: those that wait here, and those in the running turn.
 * Knows what may be shown to the provider next, and nothing of how.
 */
export class Lane {
  readonly #waiting = new Map<number, MailboxMessage>();
  readonly #inTurn = new Set<number>();
  readonly #alreadySent = new Map<number, readonly AgentMessage[]>();
  readonly #givenBack = new Map<number, number>();
  #changed = Promise.withResolvers<void>();

  /** Rows of one `take`. A row that is known already is a repeat. */
  add(messages: readonly MailboxMessage[], alreadySent: readonly AgentMessage[]): void {
    const [first] = messages;
    if (!first) return;
    for (const message of messages) {
      this.#givenBack.delete(message.seq);
      if (!this.#inTurn.has(message.seq)) this.#waiting.set(message.seq, message);
    }
    if (alreadySent.length > 0) this.#alreadySent.set(first.seq, alreadySent);
    this.#change();
  }

  /** Every row that the router need not send again. */
  held(): number[] {
    return [...this.#inTurn, ...this.#waiting.keys()];
  }

  isWaiting(seq: number): boolean {
    return this.#waiting.has(seq);
  }

  /**
   * Moves the next rows into a new turn: chat rows together, everything else alone. Context rows only come along, and
   * all that lie before: a turn is named by the lowest seq that is leased.
   * @param now the same clock as `giveBack`.
   * @returns undefined when nothing may start a turn.
   */
  startTurn(limit: number, now: number): Batch | undefined {
    const waiting = this.#sorted();
    const first = waiting.find((message) => message.trigger);
    if (!first || this.#waitsForEarlier(first.seq, now)) return undefined;
    const context = waiting.filter((message) => !message.trigger && message.seq < first.seq);
    const rest = first.kind === "chat" ? this.#chatsFrom(first.seq) : [first];
    return this.#move([...context, ...rest.slice(0, limit)]);
  }

  /** Moves chat rows into the running turn, as far as there is room; what comes behind another kind has to wait. */
  joinTurn(room: number, now: number): Batch | undefined {
    const first = this.#sorted()[0];
    if (!first || this.#waitsForEarlier(first.seq, now)) return undefined;
    const chats = this.#chatsFrom(first.seq).slice(0, Math.max(0, room));
    const last = chats.findLastIndex((message) => message.trigger);
    return last < 0 ? undefined : this.#move(chats.slice(0, last + 1));
  }

  /** Rows that the provider did not consume wait again, in their old place. */
  leaveTurn(messages: readonly MailboxMessage[]): void {
    for (const message of messages) {
      if (this.#inTurn.delete(message.seq)) this.#waiting.set(message.seq, message);
    }
    this.#change();
  }

  /** Rows that the router has ended. */
  forget(seqs: readonly number[]): void {
    for (const seq of seqs) {
      this.#inTurn.delete(seq);
      this.#waiting.delete(seq);
      this.#alreadySent.delete(seq);
    }
    this.#change();
  }

  /**
   * Rows that the router will send again later. Rows behind them wait for them, to keep the order.
   * @param until when to stop waiting: a person may have ended them meanwhile.
   */
  giveBack(seqs: readonly number[], until: number): void {
    for (const seq of seqs) this.#givenBack.set(seq, until);
    this.forget(seqs);
  }

  /** When the first given back row is no longer waited for. */
  nextRelease(): number | undefined {
    return this.#givenBack.size === 0 ? undefined : Math.min(...this.#givenBack.values());
  }

  /** Resolves at the next change. */
  changed(): Promise<void> {
    return this.#changed.promise;
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #sorted(): MailboxMessage[] {
    return [...this.#waiting.values()].sort((a, b) => a.seq - b.seq);
  }

  #chatsFrom(seq: number): MailboxMessage[] {
    const rows = this.#sorted().filter((message) => message.seq >= seq);
    const end = rows.findIndex((message) => message.kind !== "chat");
    return end < 0 ? rows : rows.slice(0, end);
  }

  #waitsForEarlier(seq: number, now: number): boolean {
    for (const [earlier, until] of this.#givenBack) {
      if (until <= now) this.#givenBack.delete(earlier);
      else if (earlier < seq) return true;
    }
    return false;
  }

  #move(messages: readonly MailboxMessage[]): Batch {
    for (const message of messages) {
      this.#waiting.delete(message.seq);
      this.#inTurn.add(message.seq);
    }
    const alreadySent = messages.flatMap((message) => this.#alreadySent.get(message.seq) ?? []);
    return { messages, alreadySent };
  }
}
