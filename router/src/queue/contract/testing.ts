import assert from "node:assert/strict";
import { keyOf } from "@copepod/core/addresses";
import { CopepodError, type ErrorCode } from "@copepod/core/errors";
import type { MailboxMessage } from "@copepod/core/messages";
import type { AcceptOutcome, AcceptRow, Conversation, Holder, QueueStore, Taken } from "../queue-store.ts";

/** Opens an empty queue; `reopen` ends the store without ceremony and opens the same rows again. */
export type OpenQueue = (clock: TestClock) => Promise<QueueUnderTest>;

export interface QueueUnderTest extends AsyncDisposable {
  readonly store: QueueStore;
  reopen(): Promise<QueueStore>;
}

export const noon = Date.UTC(2026, 0, 1, 12);

/** Both clocks move together, but the one on the wall can be set. */
export class TestClock {
  #now = noon;
  #monotonic = 1_000;

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  pass(ms: number): void {
    this.#now += ms;
    this.#monotonic += ms;
  }

  jump(ms: number): void {
    this.#now += ms;
  }
}

export interface Saying {
  readonly session?: string;
  readonly group?: string;
  readonly maxRunning?: number;
  readonly kind?: AcceptRow["kind"];
  readonly trigger?: boolean;
  /** How long from now the row becomes due. */
  readonly inMs?: number;
  readonly key?: string;
  readonly thread?: string;
  readonly conversation?: Conversation;
  readonly keyKind?: AcceptRow["session"]["keyKind"];
}

const usual = {
  session: "default/one",
  group: "default/group",
  maxRunning: 10,
  kind: "chat",
  keyKind: "Conversation",
  trigger: true,
  inMs: 0,
  thread: undefined,
} as const;

/** A queue with one conversation, and short words for what people, runners and hosts do with it. */
export class QueueWorld {
  readonly clock: TestClock;
  readonly #queue: QueueUnderTest;
  #store: QueueStore;
  #conversation: Conversation | undefined;
  #keys = 0;
  #instances = 0;

  constructor(queue: QueueUnderTest, clock: TestClock) {
    this.#queue = queue;
    this.#store = queue.store;
    this.clock = clock;
  }

  get store(): QueueStore {
    return this.#store;
  }

  get conversation(): Conversation {
    assert.ok(this.#conversation);
    return this.#conversation;
  }

  async prepare(servedByRouter: boolean): Promise<this> {
    this.#conversation = await this.meet("alice", { servedByRouter });
    return this;
  }

  async meet(address: string, { servedByRouter = true, channel = "chat" } = {}): Promise<Conversation> {
    const input = { namespace: "default", channel, address, name: address, isGroup: false, servedByRouter };
    return await this.store.introduce(input, { id: `default/${channel}:${address}`, displayName: address });
  }

  /** The store's process dies and comes back. */
  async restart(): Promise<void> {
    this.#store = await this.#queue.reopen();
  }

  row(text: string, saying: Saying = {}): AcceptRow {
    this.#keys += 1;
    const whole = { ...usual, conversation: this.conversation, key: `key ${this.#keys}`, ...saying };
    const { conversation, kind, keyKind, thread } = whole;
    return {
      session: {
        session: whole.session,
        group: whole.group,
        keyKind,
        conversation: keyKind === "Group" ? undefined : conversation.id,
        thread: keyKind === "Thread" ? thread : undefined,
        maxRunning: whole.maxRunning,
      },
      kind,
      dedupeKey: whole.key,
      trigger: whole.trigger,
      due: this.clock.now() + whole.inMs,
      replyTo: { conversation: conversation.id, thread },
      destinationName: conversation.name ?? "nameless",
      sender: { identity: `chat:${conversation.address}`, name: conversation.address },
      body: kind === "task" ? { prompt: text } : { text },
      trace: undefined,
    };
  }

  async say(text: string, saying: Saying = {}): Promise<AcceptOutcome> {
    const { outcomes } = await this.store.accept({ rows: [this.row(text, saying)], refused: [] });
    const [outcome] = outcomes;
    assert.ok(outcome);
    return outcome;
  }

  async sayAll(...texts: string[]): Promise<void> {
    for (const text of texts) assert.equal((await this.say(text)).outcome, "accepted");
  }

  /** The session's pod is there and its runner has said hello. */
  async runner(session = "default/one", podUid?: string): Promise<Holder> {
    const wish = await this.store.wish(session);
    assert.ok(wish);
    this.#instances += 1;
    const holder = {
      session,
      epoch: wish.epoch,
      podUid: podUid ?? `pod of ${session} ${wish.epoch}`,
      instance: `instance-${this.#instances}`,
    };
    await this.store.observePod(holder);
    await this.store.hello(holder);
    return holder;
  }

  async take(holder: Holder, held: readonly number[] = [], limit = 10): Promise<Taken> {
    return await this.store.take(holder, { held, limit });
  }

  /** Takes and answers one batch. @returns the texts that it consisted of. */
  async answer(holder: Holder, text: string, to = "alice"): Promise<readonly string[]> {
    const { messages } = await this.take(holder);
    const consumed = messages.map(({ seq }) => seq);
    if (consumed.length > 0) await this.finish(holder, consumed, [{ to, text }]);
    return messages.map(textOf);
  }

  async finish(
    holder: Holder,
    consumed: readonly number[],
    messages: readonly { to: string; text: string }[] = [],
  ): Promise<{ readonly repeated: boolean }> {
    const turn = consumed[0] ?? 0;
    return await this.store.finish(holder, { turn, consumed, messages, cancelled: false, notice: undefined });
  }

  /** Texts that were delivered to the conversation, with who said them. */
  async heard(conversation = this.conversation): Promise<readonly string[]> {
    const { lines } = await this.store.linesAfter(conversation.id, 0, 1_000);
    return lines.map(({ from, text }) => `${from}: ${text}`);
  }

  async rows(filter: { session?: string; state?: "pending" | "leased" | "done" | "dead" | "sent" | "unknown" } = {}) {
    const query = { session: filter.session, state: filter.state, kind: undefined, limit: 10_000 };
    return await this.store.listMessages(query);
  }
}

export const textOf = (message: MailboxMessage): string =>
  "text" in message.body ? message.body.text : "prompt" in message.body ? message.body.prompt : message.body.event;

export const textsOf = (taken: Taken): readonly string[] => taken.messages.map(textOf);

export const seqsOf = (taken: Taken): readonly number[] => taken.messages.map(({ seq }) => seq);

export async function rejectsWith(promise: Promise<unknown>, code: ErrorCode): Promise<CopepodError> {
  const error = await promise.then(
    () => assert.fail(`expected the code ${code}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CopepodError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

export const channelKey = keyOf("default", "chat");

/** Runs a test on a queue of its own. */
export const withQueue =
  (open: OpenQueue, options: { readonly servedByRouter?: boolean } = {}) =>
  (test: (world: QueueWorld) => Promise<void>) =>
  async (): Promise<void> => {
    const clock = new TestClock();
    await using queue = await open(clock);
    await test(await new QueueWorld(queue, clock).prepare(options.servedByRouter ?? true));
  };

/** A failed turn of a passing kind. */
export const failure = (rows: readonly number[]) => ({
  turn: rows[0] ?? 0,
  rows,
  class: "transient" as const,
  message: "overloaded",
  retryAfterMs: undefined,
});

/** A finished turn with one message. */
export const final = (consumed: readonly number[], text: string) => ({
  turn: consumed[0] ?? 0,
  consumed,
  messages: [{ to: "alice", text }],
  cancelled: false,
  notice: undefined,
});
