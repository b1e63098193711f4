import type { AdminClient, Line } from "@copepod/core/admin-api";
import { until } from "./until.ts";

interface Options {
  /** Read anew for each call: it is another one after a restart. */
  readonly admin: () => AdminClient;
  /** Of the conversations; on one machine there is only `default`. */
  readonly namespace: string;
  /** Goes before the names of conversations, where several systems share one queue. */
  readonly prefix: string;
  /** Agent group that shall answer; without it the wirings decide. */
  readonly group?: string;
}

/** What a person says and hears in terminal conversations; goes on while a part of the system is being restarted. */
export class Conversations {
  readonly #options: Options;

  constructor(options: Options) {
    this.#options = options;
  }

  name(conversation: string): string {
    return this.#options.prefix + conversation;
  }

  /** Says something; repeats until the router has it. */
  async say(conversation: string, text: string): Promise<{ id: string; session: string }> {
    const input = {
      ...this.#place(conversation),
      ...(this.#options.group === undefined ? {} : { group: this.#options.group }),
      text,
      sender: "ann",
      dedupeKey: `${conversation} ${text} ${performance.now()}`,
    };
    return await until(`“${text}” is accepted`, async () => await ignoringOutages(() => this.#admin.say(input)));
  }

  async stop(conversation: string): Promise<{ stopping: boolean }> {
    return await this.#admin.stop({ ...this.#place(conversation), sender: "ann" });
  }

  /** All that the conversation shows to the person so far. */
  async lines(conversation: string): Promise<Line[]> {
    const input = { ...this.#place(conversation), after: 0, waitMs: 0 };
    const seen = await until("the lines", async () => await ignoringOutages(() => this.#admin.events(input)));
    return seen.lines;
  }

  /** Waits for the lines that answer a message, until it is no longer open. */
  async answerTo(conversation: string, id: string, timeoutMs = 30_000): Promise<string[]> {
    const input = { ...this.#place(conversation), after: 0, waitMs: 0 };
    return await until(
      `an answer to ${id}`,
      async () => {
        const seen = await ignoringOutages(() => this.#admin.events(input));
        if (!seen || seen.open.includes(id)) return undefined;
        return seen.lines.filter(({ inReplyTo }) => inReplyTo === id).map(({ text }) => text);
      },
      timeoutMs,
    );
  }

  async ask(conversation: string, text: string, timeoutMs?: number): Promise<string> {
    const { id } = await this.say(conversation, text);
    return (await this.answerTo(conversation, id, timeoutMs)).join("\n");
  }

  get #admin(): AdminClient {
    return this.#options.admin();
  }

  #place(conversation: string) {
    const { namespace } = this.#options;
    return { conversation: this.name(conversation), ...(namespace === "default" ? {} : { namespace }) };
  }
}

/** While a part is being restarted the admin API may be away; anything else is a failure. */
export async function ignoringOutages<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "unavailable") return undefined;
    throw error;
  }
}
