import { CopepodError } from "@copepod/core/errors";
import type { Logger } from "pino";
import type { Time } from "../../runner/time.ts";
import { EventStream } from "../event-stream.ts";
import type { PromptPart, ProviderEvent, Turn } from "../provider.ts";
import { Answer } from "./answer.ts";
import { type AppServer, RefusedError, ServerLostError } from "./app-server.ts";
import { type Failed, toFailure } from "./failure.ts";
import { mcpCallSeconds } from "./home.ts";
import { writeContinuation } from "./instructions.ts";
import {
  anythingSchema,
  type Item,
  itemParamsSchema,
  type Notification,
  threadParamsSchema,
  turnCompletedSchema,
  turnStartedSchema,
} from "./protocol.ts";

/** An interrupted turn that has not ended by then is ended with its process. */
const interruptGraceMs = 2_000;

const stopped: Failed = { kind: "failed", class: "transient", message: "The turn was stopped." };
const died: Failed = { kind: "failed", class: "transient", message: "Codex ended in the middle of the turn." };
const unreadable: Failed = { kind: "failed", class: "unknown", message: "Codex ended the turn in an unknown way." };

/** A thread in a running process, and what its turns are to use. */
export interface OpenSession {
  readonly server: AppServer;
  readonly threadId: string;
  /** Those that the thread was loaded with. */
  readonly instructions: string;
  readonly model: string | undefined;
  readonly effort: string | undefined;
}

export interface CodexTurnDeps {
  /** Brings up process and thread. */
  readonly open: () => Promise<OpenSession | Failed>;
  readonly time: Time;
  readonly log: Logger;
}

/** One turn of a thread. It ends when the server says so, or when the server is lost. */
export class CodexTurn implements Turn {
  readonly events = new EventStream<ProviderEvent>();
  readonly #deps: CodexTurnDeps;
  readonly #over = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  readonly #answer = new Answer();
  /** Rows of each part that was given to the server, under the name that the part has there. */
  readonly #given = new Map<string, readonly number[]>();
  /** Parts that came before the server would add them to the turn. */
  readonly #waiting: PromptPart[] = [];
  #session: OpenSession | undefined;
  #turnId: string | undefined;
  #steerable = false;
  #alive: ProviderEvent = { kind: "thinking" };
  #interrupting: Promise<void> | undefined;

  constructor(prompt: PromptPart, deps: CodexTurnDeps) {
    this.#deps = deps;
    void this.#run(prompt);
  }

  push(part: PromptPart): void {
    this.#waiting.push(part);
    if (this.#steerable) this.#steer();
  }

  interrupt(): Promise<void> {
    this.#interrupting ??= this.#interrupt();
    return this.#interrupting;
  }

  async #run(prompt: PromptPart): Promise<void> {
    try {
      const session = await this.#deps.open();
      if (this.#over.signal.aborted) return;
      if ("kind" in session) return this.#finish(session);
      this.#session = session;
      const { server, threadId, model, effort } = session;
      server.onNotification = (notification) => this.#onNotification(notification, session);
      void server.exited.then(() => this.#finish(died));
      const params = { threadId, model, effort, ...this.#give(prompt) };
      const { turn } = await server.request("turn/start", params, turnStartedSchema);
      this.#turnId = turn.id;
    } catch (error) {
      this.#finish(this.#toFailed(error));
    }
  }

  #give({ text, seqs }: PromptPart): object {
    const clientUserMessageId = String(this.#given.size);
    this.#given.set(clientUserMessageId, seqs);
    return { clientUserMessageId, input: [{ type: "text", text, text_elements: [] }] };
  }

  /** What is refused, because the turn has just ended, is never consumed, and so starts the next turn. */
  #steer(): void {
    for (const part of this.#waiting.splice(0)) {
      const params = { threadId: this.#session?.threadId, expectedTurnId: this.#turnId, ...this.#give(part) };
      this.#session?.server.request("turn/steer", params, anythingSchema).catch(() => undefined);
    }
  }

  async #interrupt(): Promise<void> {
    if (!this.#session) return this.#finish(stopped);
    this.#askToStop();
    await Promise.race([this.#ended.promise, this.#deps.time.sleep(interruptGraceMs, this.#over.signal)]);
    if (!this.#over.signal.aborted) this.#session.server.kill();
    await this.#ended.promise;
  }

  #askToStop(): void {
    if (!this.#session || this.#turnId === undefined) return;
    const params = { threadId: this.#session.threadId, turnId: this.#turnId };
    this.#session.server.request("turn/interrupt", params, anythingSchema).catch(() => undefined);
  }

  #onNotification({ method, params }: Notification, session: OpenSession): void {
    const ours = threadParamsSchema.safeParse(params).data?.threadId === session.threadId;
    if (ours) this.#onOwn(method, params, session);
    this.events.write(this.#alive);
  }

  #onOwn(method: string, params: unknown, session: OpenSession): void {
    switch (method) {
      case "turn/started":
        if (this.#interrupting !== undefined) this.#askToStop();
        return;
      case "item/started":
        this.#onItemStarted(params);
        return;
      case "item/completed":
        this.#onItemCompleted(params, session);
        return;
      case "turn/completed":
        void this.#onCompleted(params, session);
        return;
      default:
    }
  }

  #onItemStarted(params: unknown): void {
    const item = itemParamsSchema.safeParse(params).data?.item;
    if (!item) return;
    const tool = toTool(item);
    this.#alive = tool ?? { kind: "thinking" };
    if (tool) this.#answer.toolBegan();
  }

  #onItemCompleted(params: unknown, session: OpenSession): void {
    const item = itemParamsSchema.safeParse(params).data?.item;
    switch (item?.type) {
      case undefined:
        return;
      case "userMessage":
        this.#onConsumed(item.clientId, session);
        return;
      case "agentMessage":
        this.#answer.said(item);
        return;
      case "commandExecution":
      case "fileChange":
      case "webSearch":
      case "mcpToolCall":
        this.#alive = { kind: "thinking" };
    }
  }

  #onConsumed(name: string | null, { threadId, instructions }: OpenSession): void {
    const seqs = this.#given.get(name ?? "");
    if (!seqs) return;
    this.#answer.followUpCame();
    this.events.write({ kind: "consumed", seqs });
    if (this.#steerable) return;
    this.events.write({ kind: "continuation", value: writeContinuation(threadId, instructions) });
    this.#steerable = true;
    this.#steer();
  }

  async #onCompleted(params: unknown, session: OpenSession): Promise<void> {
    const turn = turnCompletedSchema.safeParse(params).data?.turn;
    switch (turn?.status) {
      case undefined:
        return this.#finish(unreadable);
      case "completed":
        return this.#finish({ kind: "result", text: this.#answer.text });
      case "failed":
        return this.#finish(turn?.error ? toFailure(turn.error) : unreadable);
      case "interrupted":
        await this.#endCommands(session);
        return this.#finish(stopped);
    }
  }

  /** Codex leaves the commands of an interrupted turn running. */
  async #endCommands({ server, threadId }: OpenSession): Promise<void> {
    await server.request("thread/backgroundTerminals/clean", { threadId }, anythingSchema).catch(() => server.kill());
  }

  #toFailed(error: unknown): Failed {
    if (error instanceof ServerLostError) return { kind: "failed", class: "transient", message: error.message };
    if (error instanceof RefusedError) return { kind: "failed", class: "unknown", message: error.message };
    if (error instanceof CopepodError) return { kind: "failed", class: "permanent", message: error.message };
    this.#deps.log.warn({ err: error }, "codex could not be started");
    return { kind: "failed", class: "unknown", message: "Codex could not be started." };
  }

  #finish(end: ProviderEvent): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.events.write(end);
    this.events.close();
    this.#ended.resolve();
  }
}

function toTool(item: Item): ProviderEvent | undefined {
  switch (item.type) {
    case "commandExecution":
      return { kind: "tool", name: "shell" };
    case "fileChange":
      return { kind: "tool", name: "apply_patch" };
    case "webSearch":
      return { kind: "tool", name: "web_search" };
    case "mcpToolCall":
      return { kind: "tool", name: `${item.server}.${item.tool}`, timeoutMs: mcpCallSeconds * 1_000 };
    case "userMessage":
    case "agentMessage":
      return undefined;
  }
}
