import { isDeepStrictEqual } from "node:util";
import type { Blobs } from "@copepod/core/blobs";
import { CopepodError, codeOf, type ErrorCode } from "@copepod/core/errors";
import { maxNameLength } from "@copepod/core/limits";
import type { AgentMessage, SessionContext } from "@copepod/core/mailbox-api";
import type { Activity, FailureClass, MailboxMessage } from "@copepod/core/messages";
import type { PromptPart, Provider, ProviderEvent, Turn } from "../providers/provider.ts";
import { type Answer, splitForFinish, toAnswer } from "./answer.ts";
import { type AttemptEnd, follow } from "./attempt.ts";
import { type CommitDeps, failTurn, finishTurn } from "./commit.ts";
import { uploadFile } from "./files-out.ts";
import { forgetContinuation, readContinuation, withFolders, writeContinuation } from "./folders.ts";
import type { Batch } from "./lane.ts";
import { parseOutput } from "./output.ts";
import { formatFollowUp, formatNudge, formatPrompt } from "./prompt.ts";
import type { Time } from "./time.ts";
import { within } from "./within.ts";

const noAnswerNotice = "The agent ended its turn without an answer.";

/** What Copepod itself does for a turn, beside the provider's work, has this long. */
export const ownWorkMs = 60_000;

/** What a machine lacks stays so until a person mends it. */
const lacking: ReadonlySet<ErrorCode> = new Set(["providerMissing", "sandboxMissing"]);

/** What counts for one turn. */
export interface Setting {
  readonly provider: Provider;
  readonly context: SessionContext;
}

export interface TurnDeps extends CommitDeps {
  readonly blobs: Blobs;
  readonly time: Time;
  readonly workspace: string;
  readonly agentDir: string;
  readonly teamDir: string | undefined;
  readonly activity: (activity: Activity) => void;
  /** @throws CopepodError `providerMissing` */
  readonly prepare: () => Promise<Setting>;
  /** The provider hangs: the next turn gets a new one. */
  readonly discardProvider: () => Promise<void>;
}

/** One turn: from its first batch to the commit that ends its rows, or gives them back. */
export class RunningTurn {
  /** Lowest seq of the first batch: the turn's name. */
  readonly number: number;
  /** Rejects only with what ends the runner. */
  readonly done: Promise<void>;
  readonly #deps: TurnDeps;
  readonly #first: Batch;
  readonly #rows = new Map<number, MailboxMessage>();
  readonly #consumed = new Set<number>();
  readonly #alreadySent: AgentMessage[];
  readonly #posted: AgentMessage[] = [];
  readonly #stop = new AbortController();
  readonly #interrupt: AbortSignal;
  #running: { readonly turn: Turn; readonly context: SessionContext } | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(batch: Batch, deps: TurnDeps) {
    this.#deps = deps;
    this.#first = batch;
    this.#alreadySent = [...batch.alreadySent];
    this.#interrupt = AbortSignal.any([this.#stop.signal, deps.life.ended]);
    this.number = Math.min(...batch.messages.map((message) => message.seq));
    for (const message of batch.messages) this.#rows.set(message.seq, message);
    this.done = this.#run();
  }

  /** A person stops the turn: its rows end as cancelled. Without effect when its end is already being written. */
  stop(): void {
    this.#stop.abort();
  }

  /** Shows what has come in meanwhile to the provider, no more than one prompt holds until it has read that. */
  pushFollowUps(): void {
    const { lane } = this.#deps;
    while (this.#running && !this.#interrupt.aborted) {
      const { turn, context } = this.#running;
      const batch = lane.joinTurn(context.maxMessagesPerPrompt - this.#unread().length);
      if (!batch) return;
      for (const message of batch.messages) this.#rows.set(message.seq, message);
      this.#alreadySent.push(...batch.alreadySent);
      turn.push({ seqs: seqsOf(batch), text: formatFollowUp(batch.messages, context.timeZone, batch.alreadySent) });
    }
  }

  /** Sends before the turn ends. A repeated turn that says the same again sends nothing twice. */
  async post(message: AgentMessage): Promise<{ seq: number }> {
    const { mailbox, retry, instance, life } = this.#deps;
    const occurrence = this.#posted.filter((other) => isDeepStrictEqual(other, message)).length;
    const input = { ...message, instance, turn: this.number, occurrence };
    this.#posted.push(message);
    try {
      const { seq } = await retry("post", life.ended, (options) => mailbox.post(input, options));
      return { seq };
    } catch (error) {
      this.#posted.splice(this.#posted.indexOf(message), 1);
      throw error;
    }
  }

  /** As `post`, with a file of the agent's folders. Two files of one content and name are the same. */
  async postFile(to: string, path: string, text: string | undefined): Promise<{ seq: number }> {
    const file = await uploadFile(path, this.#deps);
    return await this.post({ to, text: text ?? file.name, files: [file] });
  }

  async #run(): Promise<void> {
    const { activity, log } = this.#deps;
    activity({ state: "thinking" });
    log.info({ turn: this.number, rows: this.#rows.size }, "turn begins");
    try {
      await this.#settle(await this.#think());
    } finally {
      activity({ state: "idle" });
    }
  }

  async #think(): Promise<{ readonly end: AttemptEnd; readonly setting?: Setting }> {
    try {
      const setting = await this.#prepare();
      const { messages, alreadySent } = this.#first;
      const text = formatPrompt(messages, setting.context.timeZone, alreadySent);
      const end = await this.#attempt(setting, { seqs: seqsOf(this.#first), text });
      const lost = end.kind === "result" && this.#consumed.size > 0 && this.#answer(end.text, setting).lost;
      if (!lost) return { end, setting };
      const names = setting.context.destinations.map((destination) => destination.name);
      return { end: await this.#attempt(setting, { seqs: [], text: formatNudge(names) }), setting };
    } catch (error) {
      return { end: this.#toEnd(error) };
    }
  }

  /** A provider that can't be made in time is given up, so that the next try does not wait for it. */
  async #prepare(): Promise<Setting> {
    const { prepare, discardProvider } = this.#deps;
    try {
      return await this.#bounded("the start of the provider", prepare(), this.#interrupt);
    } catch (error) {
      if (codeOf(error) === "timeout") await discardProvider();
      throw error;
    }
  }

  #bounded<T>(what: string, work: Promise<T>, interrupt?: AbortSignal): Promise<T> {
    return within(work, { what, ms: ownWorkMs, time: this.#deps.time, ...(interrupt ? { interrupt } : {}) });
  }

  async #attempt({ provider, context }: Setting, prompt: PromptPart): Promise<AttemptEnd> {
    const { workspace, time, log } = this.#deps;
    const reading = Promise.all([
      withFolders(context.instructions, this.#deps),
      readContinuation(workspace, provider.name),
    ]);
    const [instructions, continuation] = await this.#bounded("reading the agent's files", reading, this.#interrupt);
    if (this.#interrupt.aborted) return { kind: "interrupted", hung: false };
    const turn = provider.start({ prompt, instructions, continuation });
    this.#running = { turn, context };
    this.pushFollowUps();
    const onEvent = (event: ProviderEvent): void => this.#onEvent(event, provider.name);
    const end = await follow(turn, { interrupt: this.#interrupt, onEvent, time, log });
    this.#running = undefined;
    await this.#writing;
    if ("hung" in end && end.hung) await this.#deps.discardProvider();
    if (end.kind === "result") this.#leave(this.#unread());
    return end;
  }

  #onEvent(event: ProviderEvent, provider: string): void {
    const { activity, workspace, log } = this.#deps;
    if (event.kind === "thinking") activity({ state: "thinking" });
    if (event.kind === "tool") activity({ state: "tool", tool: toActivityName(event.name) });
    if (event.kind === "continuation") {
      const { value } = event;
      this.#writing = this.#writing
        .then(() => this.#bounded("writing the continuation", writeContinuation(workspace, provider, value)))
        .catch((error: unknown) =>
          log.warn({ err: error }, "continuation not written: the next turn may start afresh"),
        );
    }
    if (event.kind === "consumed") {
      for (const seq of event.seqs) if (this.#rows.has(seq)) this.#consumed.add(seq);
      this.pushFollowUps();
    }
  }

  async #settle({ end, setting }: { readonly end: AttemptEnd; readonly setting?: Setting }): Promise<void> {
    const { life, log } = this.#deps;
    log.info({ turn: this.number, end: end.kind, consumed: this.#consumed.size }, "turn ends");
    if (life.ended.aborted) return;
    switch (end.kind) {
      case "interrupted": {
        const consumed = [...this.#rows.keys()];
        return await finishTurn({ turn: this.number, consumed, messages: [], cancelled: true }, this.#deps);
      }
      case "silent":
        return await this.#fail({ class: "transient", message: `no sign of life for ${end.silenceMs / 1_000} s` });
      case "failed":
        if (end.continuationLost && setting) await this.#forget(setting.provider.name);
        return await this.#fail(end);
      case "result":
        if (setting && this.#consumed.size > 0) return await this.#deliver(end.text, setting);
        return await this.#fail({ class: "unknown", message: "the provider did not read the messages" });
    }
  }

  /** Where that fails the next try fails as this one did, and the last one is told. */
  async #forget(provider: string): Promise<void> {
    const { workspace, log } = this.#deps;
    const forgotten = this.#bounded("forgetting the continuation", forgetContinuation(workspace, provider));
    await forgotten.catch((error: unknown) => log.warn({ err: error }, "continuation not forgotten"));
  }

  async #deliver(text: string, setting: Setting): Promise<void> {
    const answer = this.#answer(text, setting);
    const { early, final } = splitForFinish(answer.messages);
    for (const message of early) await this.post(message);
    const consumed = [...this.#consumed];
    const forPerson = consumed.some((seq) => this.#rows.get(seq)?.kind === "chat");
    const notice = forPerson && (answer.lost || answer.silent) ? { notice: noAnswerNotice } : {};
    await finishTurn({ turn: this.number, consumed, messages: final, ...notice }, this.#deps);
  }

  async #fail(failure: Omit<Extract<ProviderEvent, { kind: "failed" }>, "kind">): Promise<void> {
    const rows = [...new Set([...seqsOf(this.#first), ...this.#consumed])].filter((seq) => this.#rows.has(seq));
    this.#leave(this.#unread().filter((message) => !rows.includes(message.seq)));
    const said = [...this.#alreadySent, ...this.#posted];
    await failTurn({ ...failure, turn: this.number, rows, said }, this.#deps);
  }

  #answer(text: string, { context }: Setting): Answer {
    const destinations = new Set(context.destinations.map((destination) => destination.name));
    return toAnswer(parseOutput(text), destinations, [...this.#alreadySent, ...this.#posted]);
  }

  #unread(): MailboxMessage[] {
    return [...this.#rows.values()].filter((message) => !this.#consumed.has(message.seq));
  }

  #leave(messages: readonly MailboxMessage[]): void {
    for (const message of messages) this.#rows.delete(message.seq);
    this.#deps.lane.leaveTurn(messages);
  }

  /** What keeps a provider from starting is a failed turn; what ends the runner goes on its way. */
  #toEnd(error: unknown): AttemptEnd {
    const code = codeOf(error);
    if (code === "superseded" || code === "unauthorized") throw error;
    if (this.#interrupt.aborted) return { kind: "interrupted", hung: false };
    this.#deps.log.warn({ err: error, turn: this.number }, "turn could not be begun");
    const message = error instanceof CopepodError ? error.message : "the turn could not be begun";
    return { kind: "failed", class: classOf(code), message };
  }
}

function classOf(code: ErrorCode): FailureClass {
  if (code === "timeout") return "transient";
  return lacking.has(code) ? "permanent" : "unknown";
}

const seqsOf = (batch: Batch): number[] => batch.messages.map((message) => message.seq);

/** Fits what the mailbox takes as a name. */
const toActivityName = (name: string): string => name.replaceAll(/\p{Cc}+/gu, " ").slice(0, maxNameLength) || "unnamed";
