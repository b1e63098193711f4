import { randomUUID } from "node:crypto";
import { CopepodError } from "@copepod/core/errors";
import { maxRetryAfterMs } from "@copepod/core/limits";
import type { Logger } from "pino";
import { z } from "zod";
import type { Time } from "../../runner/time.ts";
import { EventStream } from "../event-stream.ts";
import type { PromptPart, ProviderEvent, Turn, TurnInput } from "../provider.ts";
import { toFailure } from "./failure.ts";
import type { ClaudeProcess, Listener } from "./process.ts";
import type { SdkMessage, SdkResult } from "./sdk.ts";

/** The harness has this long to end a turn; then its process is ended. */
const interruptMs = 2_500;
/** Time-out of a command that names none, as the harness has it. */
const defaultCommandMs = 120_000;
/** What the harness takes to end a command that is over its time. */
const commandGraceMs = 30_000;

type Failed = Extract<ProviderEvent, { kind: "failed" }>;
type Assistant = Extract<SdkMessage, { type: "assistant" }>;
type Init = Extract<SdkMessage, { type: "system" }>;

const stopped: Failed = { kind: "failed", class: "transient", message: "The turn was stopped." };

export interface TurnDeps {
  /** @throws CopepodError `providerFailed` when nothing but another setting helps */
  readonly open: () => Promise<ClaudeProcess>;
  readonly time: Time;
  /** UTC milliseconds: some APIs name the time at which they answer again. */
  readonly wallClock: () => number;
  readonly log: Logger;
}

/**
 * One turn. The harness may make several of it: what is pushed while the model writes its answer gets an answer of its
 * own. So the turn ends when every part that was sent has been answered.
 */
export class ClaudeTurn implements Turn, Listener {
  readonly events = new EventStream<ProviderEvent>();
  readonly #deps: TurnDeps;
  /** Parts by their id that are not yet before the model. */
  readonly #unread = new Map<string, PromptPart>();
  readonly #unanswered = new Set<string>();
  readonly #answers: string[] = [];
  #process: ClaudeProcess | undefined;
  #interrupting: Promise<void> | undefined;
  #retryAfterMs: number | undefined;

  constructor({ prompt }: TurnInput, deps: TurnDeps) {
    this.#deps = deps;
    this.push(prompt);
    void this.#begin();
  }

  push(part: PromptPart): void {
    if (this.events.ended || this.#interrupting !== undefined) return;
    const id = randomUUID();
    this.#unread.set(id, part);
    this.#unanswered.add(id);
    this.#process?.send(id, part.text);
  }

  interrupt(): Promise<void> {
    this.#interrupting ??= this.#stop();
    return this.#interrupting;
  }

  async #begin(): Promise<void> {
    try {
      const process = await this.#deps.open();
      if (this.events.ended) return;
      this.#process = process;
      process.listener = this;
      for (const [id, { text }] of this.#unread) process.send(id, text);
      if (process.ended) this.onExit();
    } catch (error) {
      this.#deps.log.warn({ err: error }, "the harness can't be started");
      if (error instanceof CopepodError) this.#end({ kind: "failed", class: "permanent", message: error.message });
      else this.#end({ kind: "failed", class: "transient", message: "The harness could not be started." });
    }
  }

  /** What waits in the harness would be answered after the interrupt, so then there must be no harness. */
  async #stop(): Promise<void> {
    const process = this.#process;
    if (process && !this.events.ended) {
      if (this.#unread.size === 0) await this.#interruptProcess(process);
      if (!this.events.ended) await process.end();
    }
    this.#end(stopped);
  }

  async #interruptProcess(process: ClaudeProcess): Promise<void> {
    const { time, log } = this.#deps;
    const over = new AbortController();
    const asked = process.interrupt().catch((error: unknown) => log.warn({ err: error }, "harness not interrupted"));
    await Promise.race([Promise.all([asked, this.events.end]), time.sleep(interruptMs, over.signal)]);
    over.abort();
  }

  onPrompt(text: string): void {
    for (const [id, part] of this.#unread) if (text.includes(part.text)) this.#consume(id, part);
  }

  onMessage(message: SdkMessage | undefined): void {
    switch (message?.type) {
      case undefined:
        this.events.write({ kind: "thinking" });
        break;
      case "system":
        this.#onSystem(message);
        break;
      case "assistant":
        this.#onAssistant(message);
        break;
      case "rate_limit_event":
        this.#onWait(message.rate_limit_info.resetsAt * 1_000 - this.#deps.wallClock());
        break;
      case "result":
        this.#onResult(message);
        break;
    }
  }

  onExit(): void {
    this.#end({ kind: "failed", class: "transient", message: "The harness ended before the turn did." });
  }

  #onSystem(message: Init): void {
    if (message.subtype === "init") this.events.write({ kind: "continuation", value: message.session_id });
    else if (message.error_status === 429) this.#onWait(message.retry_delay_ms);
    else this.events.write({ kind: "thinking" });
  }

  #onWait(ms: number): void {
    this.#retryAfterMs = Math.min(Math.max(0, Math.round(ms)), maxRetryAfterMs);
    this.events.write({ kind: "thinking" });
  }

  #onAssistant({ message }: Assistant): void {
    this.events.write({ kind: "thinking" });
    for (const { type, name, input } of message.content) {
      if (type === "tool_use" && name !== undefined)
        this.events.write({ kind: "tool", name, ...timeoutOf(name, input) });
    }
  }

  #onResult(result: SdkResult): void {
    for (const id of result.user_message_uuids ?? []) {
      const part = this.#unread.get(id);
      if (part) this.#consume(id, part);
      this.#unanswered.delete(id);
    }
    if (this.#interrupting !== undefined) this.#end(stopped);
    else if (result.is_error) this.#fail(toFailure(result, this.#retryAfterMs));
    else this.#answer(result.result ?? "");
  }

  #answer(text: string): void {
    this.#answers.push(text);
    if (this.#unanswered.size === 0) this.#end({ kind: "result", text: this.#answers.join("\n\n") });
    else this.events.write({ kind: "thinking" });
  }

  /** What waits in the harness begins the next turn, so this harness must not answer it. */
  #fail(failed: Failed): void {
    const process = this.#process;
    this.#end(failed);
    if (this.#unanswered.size > 0) void process?.end();
  }

  #consume(id: string, { seqs }: PromptPart): void {
    this.#unread.delete(id);
    this.events.write({ kind: "consumed", seqs });
  }

  #end(event: Extract<ProviderEvent, { kind: "result" | "failed" }>): void {
    this.events.write(event);
    this.events.close();
    if (this.#process?.listener === this) this.#process.listener = undefined;
  }
}

const commandSchema = z.object({
  timeout: z
    .number()
    .nonnegative()
    .max(24 * 60 * 60_000)
    .default(defaultCommandMs),
});

/** How long a command may be silent. */
function timeoutOf(name: string, input: unknown): { readonly timeoutMs?: number } {
  const { data } = commandSchema.safeParse(input);
  return name === "Bash" && data ? { timeoutMs: data.timeout + commandGraceMs } : {};
}
