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
  #changed = Promise.withResolvers<void>();
  #age = 0;
  #lowestGivenBack = 0;

  /** Grows whenever rows went back to the router. */
  get age(): number {
    return this.#age;
  }

  /** Rows of one `take`. A row that is known already is a repeat. */
  add(messages: readonly MailboxMessage[], alreadySent: readonly AgentMessage[]): void {
    const [first] = messages;
    if (!first) return;
    for (const message of messages) if (!this.#inTurn.has(message.seq)) this.#waiting.set(message.seq, message);
    if (alreadySent.length > 0) this.#alreadySent.set(first.seq, alreadySent);
    this.#change();
  }

  /** Every row that the router need not send again. */
  held(): number[] {
    return [...this.#inTurn, ...this.#waiting.keys()].sort((a, b) => a - b);
  }

  isWaiting(seq: number): boolean {
    return this.#waiting.has(seq);
  }

  /**
   * Moves the next rows into a new turn: chat rows together, everything else alone. Context rows only come along, all
   * that lie before included: a turn is named by the lowest seq that is leased.
   * @param limit of rows that are no context.
   * @returns undefined when nothing may start a turn.
   */
  startTurn(limit: number): Batch | undefined {
    const waiting = this.#sorted();
    const start = waiting.findIndex((message) => message.trigger);
    const first = waiting[start];
    if (!first) return undefined;
    const rest = first.kind === "chat" ? chats(waiting.slice(start), limit) : [first];
    return this.#move([...waiting.slice(0, start), ...rest]);
  }

  /** Moves chat rows into the running turn, as far as there is room; what lies behind another kind has to wait. */
  joinTurn(room: number): Batch | undefined {
    const next = chats(this.#sorted(), room);
    return next.some((message) => message.trigger) ? this.#move(next) : undefined;
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

  /** Rows that the router sends again later, first among them the one that names the turn, which has said something. */
  giveBack(seqs: readonly number[], said: { readonly turn: number; readonly messages: readonly AgentMessage[] }): void {
    this.forget(seqs);
    if (seqs.includes(said.turn) && said.messages.length > 0) this.#alreadySent.set(said.turn, said.messages);
    this.#lowestGivenBack = Math.min(...seqs);
    this.#age++;
  }

  /**
   * Whether rows were leased just before others in front of them went back, and so would overtake them.
   * @param age the lane's, when the rows were asked for.
   */
  wouldOvertake(messages: readonly MailboxMessage[], age: number): boolean {
    const [first] = messages;
    return first !== undefined && age !== this.#age && first.seq > this.#lowestGivenBack;
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

  #move(messages: readonly MailboxMessage[]): Batch {
    for (const message of messages) {
      this.#waiting.delete(message.seq);
      this.#inTurn.add(message.seq);
    }
    const alreadySent = messages.flatMap((message) => this.#alreadySent.get(message.seq) ?? []);
    return { messages, alreadySent };
  }
}

/** Chat and context rows from the head on, up to a number of those that are no context. */
function chats(rows: readonly MailboxMessage[], limit: number): MailboxMessage[] {
  const taken: MailboxMessage[] = [];
  let triggers = 0;
  for (const row of rows) {
    if (row.trigger && (row.kind !== "chat" || triggers >= limit)) break;
    triggers += row.trigger ? 1 : 0;
    taken.push(row);
  }
  return taken;
}
