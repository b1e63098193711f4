import type { AdminClient, Line, MessageRow } from "@copepod/core/admin-api";
import type { Blobs } from "@copepod/core/blobs";
import type { MessageFile } from "@copepod/core/files";
import { longPollMs } from "@copepod/core/limits";
import type { Activity } from "@copepod/core/messages";
import { keepTrying, type TryingDeps } from "./keep-trying.ts";

export interface ConversationDeps extends TryingDeps {
  readonly admin: AdminClient;
  readonly blobs: Blobs;
  /** Of agents. */
  readonly namespace: string;
  /** A key that nobody else draws. */
  randomKey(): string;
}

export interface ConversationInput {
  readonly conversation: string;
  readonly sender: string;
  /** Agent group that shall answer; undefined = the wirings decide. */
  readonly group: string | undefined;
}

export interface Saying {
  readonly text: string;
  /** Uploaded before. */
  readonly files?: readonly MessageFile[];
}

/** A file without a word is named by the text. */
export const saying = (text: string | undefined, files: readonly MessageFile[]): Saying => ({
  text: text ?? files.map(({ name }) => name).join(", "),
  ...(files.length > 0 ? { files } : {}),
});

/** What the router took. */
export interface Said {
  readonly id: string;
  readonly session: string;
  /** Lines behind it may be answers. */
  readonly after: number;
}

/** What is new in a conversation. */
export interface News {
  readonly lines: readonly Line[];
  readonly activity: Activity;
  /** Ids of messages that wait or are being answered. */
  readonly open: readonly string[];
}

/** One terminal conversation, seen by one client. Everything survives a restart of the router. */
export class Conversation {
  readonly #deps: ConversationDeps;
  readonly #input: ConversationInput;

  constructor(input: ConversationInput, deps: ConversationDeps) {
    this.#input = input;
    this.#deps = deps;
  }

  /** The last lines, and the position behind them. */
  history(limit: number, signal: AbortSignal): Promise<{ lines: Line[]; position: number }> {
    const { conversation } = this.#input;
    const query = { namespace: this.#deps.namespace, conversation, limit };
    return this.#try((options) => this.#deps.admin.history(query, options), signal);
  }

  /**
   * Says something, once: the same key goes with each try, so that a lost answer doubles nothing.
   * @param known position behind the lines that the caller has.
   * @throws CopepodError with the code of a refusal
   */
  async say({ text, files }: Saying, known: number, signal: AbortSignal): Promise<Said> {
    const { conversation, sender, group } = this.#input;
    const optional = { ...(group ? { group } : {}), ...(files ? { files: [...files] } : {}) };
    const { namespace, randomKey } = this.#deps;
    const message = { namespace, conversation, sender, text, dedupeKey: randomKey(), ...optional };
    const said = await this.#try((options) => this.#deps.admin.say(message, options), signal);
    // After a lost answer the reply may have come already.
    return { id: said.id, session: said.session, after: said.duplicate ? known : said.position };
  }

  /** Brings bytes of files. The call is repeated while the router is away. */
  transfer<T>(call: (blobs: Blobs) => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#try(() => call(this.#deps.blobs), signal);
  }

  async stop(signal: AbortSignal): Promise<boolean> {
    const { conversation, sender } = this.#input;
    const input = { namespace: this.#deps.namespace, conversation, sender };
    const { stopping } = await this.#try((options) => this.#deps.admin.stop(input, options), signal);
    return stopping;
  }

  /** How it stands with a message; undefined = it is not among the newest of its session. */
  async rowOf({ id, session }: Pick<Said, "id" | "session">, signal: AbortSignal): Promise<MessageRow | undefined> {
    const query = { namespace: this.#deps.namespace, session, kind: "chat" } as const;
    const { items } = await this.#try((options) => this.#deps.admin.listMessages(query, options), signal);
    return items.find((row) => row.id === id);
  }

  /** Each change behind the position, until the signal. */
  async *follow(after: number, signal: AbortSignal): AsyncGenerator<News, void> {
    const { conversation } = this.#input;
    let position = after;
    let activityVersion = -1;
    while (!signal.aborted) {
      const query = {
        namespace: this.#deps.namespace,
        conversation,
        after: position,
        activityVersion,
        waitMs: longPollMs,
      };
      const { lines, activity, open, ...next } = await this.#try(
        (options) => this.#deps.admin.events(query, options),
        signal,
      );
      position = Math.max(position, next.position);
      activityVersion = next.activityVersion;
      yield { lines, activity, open };
    }
  }

  /** Lines in answer to what was said, as they come; ends when it is no longer open. */
  async *answers(said: Said, signal: AbortSignal): AsyncGenerator<Line, void> {
    const { conversation } = this.#input;
    let last = said.after;
    for await (const { lines, open } of this.follow(said.after, signal)) {
      yield* lines;
      last = Math.max(last, ...lines.map((line) => line.position ?? 0));
      if (!open.includes(said.id)) break;
    }
    // An answer of many lines comes in parts; the open messages are those behind the last part.
    for (;;) {
      const query = { namespace: this.#deps.namespace, conversation, after: last, waitMs: 0 };
      const rest = await this.#try((options) => this.#deps.admin.events(query, options), signal);
      yield* rest.lines;
      if (rest.lines.length === 0) return;
      last = rest.position;
    }
  }

  #try<T>(call: (options: { signal: AbortSignal }) => Promise<T>, signal: AbortSignal): Promise<T> {
    return keepTrying(() => call({ signal }), this.#deps, signal);
  }
}
