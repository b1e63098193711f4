import { randomUUID } from "node:crypto";
import { CopepodError } from "@copepod/core/errors";
import type { Logger } from "pino";
import { z } from "zod";
import type { Time } from "../../runner/time.ts";
import { EventStream } from "../event-stream.ts";
import type { PromptPart, ProviderEvent, Turn, TurnInput } from "../provider.ts";
import { Conversation } from "./conversation.ts";
import { type Failed, fail, type Retry, toFailure, toRetryFailure } from "./failure.ts";
import type { Reply, Server } from "./server.ts";
import { ownPartPrefix, type Signal } from "./signals.ts";

/** Requests of one step that may fail before the turn does: OpenCode itself would try for ever. */
const maxAttempts = 2;
/** A longer pause between two requests is the runner's to make. */
const maxRetryPauseMs = 15_000;
/** What was stopped has ended by then, or the server is ended. */
const stopMs = 3_000;
/** OpenCode is done, and does not take up what it was told last: that came too late for this turn. */
const lateMs = 1_000;

export interface TurnDeps {
  /** @throws Error it can't be started */
  readonly server: () => Promise<Server>;
  readonly time: Time;
  readonly log: Logger;
}

interface Place {
  readonly server: Server;
  /** `/session/<id>` */
  readonly path: string;
}

/** One turn of a conversation: from its prompt until OpenCode is idle and has read all that was said. */
export class OpenCodeTurn implements Turn {
  readonly events = new EventStream<ProviderEvent>();
  readonly #input: TurnInput;
  readonly #deps: TurnDeps;
  readonly #conversation = new Conversation();
  readonly #unsent: PromptPart[];
  readonly #over = new AbortController();
  readonly #answering = Promise.withResolvers<void>();
  #place: Place | undefined;
  #posting: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  #ending = false;
  /** What the turn ends with once OpenCode is idle. */
  #failure: Failed | undefined;

  constructor(input: TurnInput, deps: TurnDeps) {
    this.#input = input;
    this.#deps = deps;
    this.#unsent = [input.prompt];
    void this.#begin();
  }

  push(part: PromptPart): void {
    this.#unsent.push(part);
    this.#post();
  }

  interrupt(): Promise<void> {
    return this.#stop(fail("transient", "The turn was stopped."));
  }

  async #begin(): Promise<void> {
    try {
      const server = await this.#deps.server();
      if (this.events.ended) return;
      const session = this.#input.continuation ?? (await createSession(server));
      this.#follow(server, session);
      this.#write({ kind: "continuation", value: session });
      this.#post();
    } catch (error) {
      this.#deps.log.warn({ err: error }, "OpenCode could not be started");
      if (error instanceof CopepodError) return this.#write(fail("permanent", error.message));
      this.#write(fail("transient", "OpenCode could not be started; the log of the session says why."));
    }
  }

  #follow(server: Server, session: string): void {
    this.#place = { server, path: `/session/${encodeURIComponent(session)}` };
    const onLost = (): void => this.#write(fail("transient", "OpenCode has ended in the middle of the turn."));
    const unlisten = server.listen((heard) => {
      if (heard.session === session) this.#onSignal(heard.signal);
      else this.#write(this.#conversation.signOfLife);
    });
    this.#over.signal.addEventListener("abort", unlisten, { once: true });
    server.lost.addEventListener("abort", onLost, { once: true, signal: this.#over.signal });
    if (server.lost.aborted) onLost();
  }

  #write(event: ProviderEvent): void {
    this.events.write(event);
    if (event.kind !== "result" && event.kind !== "failed") return;
    this.events.close();
    this.#over.abort();
  }

  /** Says what is not said yet, one after the other, so that OpenCode keeps the order. */
  #post(): void {
    this.#posting = this.#posting.then(() => this.#postNext());
  }

  async #postNext(): Promise<void> {
    if (!this.#place || this.events.ended || this.#stopping !== undefined) return;
    const part = this.#unsent.shift();
    if (!part) return;
    const { server, path } = this.#place;
    const id = `${ownPartPrefix}${randomUUID().replaceAll("-", "")}`;
    this.#conversation.say(id, part);
    const input = { system: this.#input.instructions, parts: [{ id, type: "text", text: part.text }] };
    try {
      const reply = await server.call("POST", `${path}/prompt_async`, input);
      if (reply.status >= 400) this.#onRefusal(id, reply);
    } catch (error) {
      this.#deps.log.warn({ err: error }, "OpenCode has not taken a message");
      this.#onRefusal(id, undefined);
    }
    return await this.#postNext();
  }

  /** What is refused in mid-turn stays for the next turn, which then hears why. */
  #onRefusal(id: string, reply: Reply | undefined): void {
    this.#conversation.takeBack(id);
    if (this.#conversation.answers === 0) this.#write(toRefusal(reply));
  }

  #onSignal(signal: Signal): void {
    for (const event of this.#conversation.hear(signal)) this.#write(event);
    switch (signal.kind) {
      case "answering":
        if (this.#conversation.answers > 0) this.#answering.resolve();
        break;
      case "step":
        // It went on after all, with a shorter context.
        if (this.#stopping === undefined) this.#failure = undefined;
        break;
      case "retry":
        this.#onRetry(signal.retry);
        break;
      case "error":
        this.#failure ??= toFailure(signal.error);
        this.#endSoon();
        break;
      case "idle":
        this.#onIdle();
        break;
      case "accepted":
      case "text":
      case "tool":
      case "life":
        break;
    }
  }

  #onRetry(retry: Retry): void {
    const now = Date.now();
    if (retry.attempt < maxAttempts && retry.next - now <= maxRetryPauseMs) return;
    void this.#stop(toRetryFailure(retry, now));
  }

  /** OpenCode tells that it is idle more than once, also when it only stands between a failure and its record of it. */
  #onIdle(): void {
    if (!this.#conversation.isAnswered) return;
    if (this.#failure || this.#conversation.unread.length === 0) void this.#end();
    else this.#endSoon();
  }

  /** Ends the turn, unless OpenCode goes on. */
  #endSoon(): void {
    const { answers } = this.#conversation;
    void this.#deps.time.sleep(lateMs, this.#over.signal).then(() => {
      if (this.#conversation.answers === answers) void this.#end();
    });
  }

  async #end(): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    await this.#forget();
    this.#write(this.#failure ?? { kind: "result", text: this.#conversation.text });
  }

  /** What the model was not shown is said again in another turn, so it must not stand there twice. */
  async #forget(): Promise<void> {
    const messages = this.#conversation.unread.filter((message) => message !== undefined);
    const { server, path } = this.#place ?? {};
    try {
      await Promise.all(messages.map((message) => server?.call("DELETE", `${path}/message/${message}`)));
    } catch (error) {
      this.#deps.log.debug({ err: error }, "an unread message stays in the conversation");
    }
  }

  #stop(failure: Failed): Promise<void> {
    this.#failure ??= failure;
    this.#stopping ??= this.#abort(this.#failure);
    return this.#stopping;
  }

  async #abort(failure: Failed): Promise<void> {
    const { time, log } = this.#deps;
    const patience = time.sleep(stopMs, this.#over.signal);
    await Promise.race([this.#abortWork(), patience]);
    await Promise.race([ended(this.#over.signal), patience]);
    if (this.events.ended) return;
    log.warn("OpenCode does not stop, so it is ended");
    this.#write(failure);
    await this.#place?.server.close();
  }

  /** OpenCode can only stop what it has begun with. */
  async #abortWork(): Promise<void> {
    await this.#posting;
    if (!this.#place || this.#conversation.unread.length + this.#conversation.answers === 0) return await this.#end();
    await this.#answering.promise;
    await this.#place.server.call("POST", `${this.#place.path}/abort`).catch((error: unknown) => {
      this.#deps.log.debug({ err: error }, "OpenCode could not be asked to stop");
    });
  }
}

const sessionSchema = z.object({ id: z.string() });
const refusalSchema = z.object({ data: z.object({ message: z.string() }) });

function toRefusal(reply: Reply | undefined): Failed {
  if (!reply) return fail("transient", "OpenCode has not taken the message.");
  if (reply.status === 404) {
    const message = "The earlier conversation is no longer there; the next try begins a new one.";
    return { ...fail("transient", message), continuationLost: true };
  }
  const said = refusalSchema.safeParse(reply.body).data?.data.message;
  return fail("permanent", said ?? `OpenCode has refused the message with ${reply.status}.`);
}

/** With a title, so that the model is not asked for one. */
async function createSession(server: Server): Promise<string> {
  const { status, body } = await server.call("POST", "/session", { title: "Copepod" });
  if (status !== 200) throw new Error(`OpenCode answered ${status} when it was asked for a conversation`);
  return sessionSchema.parse(body).id;
}

function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
