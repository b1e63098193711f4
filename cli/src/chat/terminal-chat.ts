import type { Line } from "@copepod/core/admin-api";
import { CopepodError } from "@copepod/core/errors";
import type { Activity } from "@copepod/core/messages";
import type { Io } from "../context.ts";
import { fileCommandUsage, parseFileCommand } from "../files/file-command.ts";
import type { Transfers } from "../files/transfers.ts";
import { shorten } from "../output/table.ts";
import { type Conversation, type News, saying } from "./conversation.ts";
import { failedTries } from "./outcome.ts";
import { agentOfSession, type Paint, printable, renderActivity, renderLine } from "./render.ts";
import { Screen } from "./screen.ts";

/** Longest reason in the status line, which is no place to read in. */
const maxReasonCharacters = 120;
/** Lines of the past that are shown first. */
const historyLines = 20;

const help = [
  "Write a message and press Enter. The agent answers here, and remembers the conversation.",
  "  /file <path> [text]   send a file (quotes around a path with spaces)",
  "  /stop   stop what the agent is doing (so does Ctrl-C)",
  "  /quit   leave (Ctrl-D leaves when the answers are there)",
  "  /help   show this",
].join("\n");

export interface TerminalChatInput {
  readonly io: Io;
  readonly paint: Paint;
  readonly conversation: Conversation;
  readonly transfers: Transfers;
  /** Name for the agent until a line or a session says it. */
  readonly agent: string;
  /** Said once, below the history. */
  readonly greeting: string;
}

/** A person chats at a terminal. */
export class TerminalChat {
  readonly #input: TerminalChatInput;
  readonly #left = new AbortController();
  readonly #following = new AbortController();
  readonly #drained = Promise.withResolvers<void>();
  /** Aborts the running poll, so that the next one tells the present state at once. */
  #look = new AbortController();
  #screen: Screen | undefined;
  #agent: string;
  /** Where the conversation's messages go; undefined = nothing was said yet. */
  #session: string | undefined;
  #position = 0;
  #activity: Activity = { state: "idle" };
  #open: readonly string[] = [];
  #sending: Promise<void> = Promise.resolve();
  #saving: Promise<void> = Promise.resolve();
  #unsent = 0;
  #interrupted = false;
  #toldWaiting = false;

  constructor(input: TerminalChatInput) {
    this.#input = input;
    this.#agent = input.agent;
  }

  /** A word of the system beside the conversation. */
  notice(sentence: string): void {
    const text = this.#input.paint("dim", `· ${sentence}`);
    if (this.#screen) this.#screen.print(text);
    else this.#input.io.stdout.write(`${text}\n`);
  }

  /**
   * Runs until the person leaves or the signal comes.
   * @throws CopepodError `unavailable` when the router is away for too long
   */
  async run(signal: AbortSignal): Promise<void> {
    const end = AbortSignal.any([signal, this.#left.signal]);
    const { lines, position } = await this.#input.conversation.history(historyLines, signal);
    this.#position = position;
    for (const line of lines) {
      if (line.from === "agent" && line.sender) this.#agent = line.sender;
      this.#input.io.stdout.write(`${renderLine(line, this.#agent, this.#input.paint)}\n`);
      this.#save(line, end);
    }
    this.notice(this.#input.greeting);
    using screen = this.#openScreen(end);
    screen.open();
    try {
      const following = this.#follow(AbortSignal.any([end, this.#following.signal]));
      await Promise.race([untilAborted(end), this.#drained.promise, following.then(() => untilAborted(end))]);
    } catch (error) {
      if (!end.aborted) throw error;
    }
  }

  #openScreen(end: AbortSignal): Screen {
    this.#screen = new Screen(this.#input.io, this.#input.paint, {
      onText: (text) => this.#text(text.trim(), end),
      onInterrupt: (typed) => this.#interrupt(typed, end),
      onEnd: () => this.#drain(end),
    });
    return this.#screen;
  }

  /** One poll at a time: what it hears is always newer than what was heard before. */
  async #follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#look = new AbortController();
      const end = AbortSignal.any([signal, this.#look.signal]);
      try {
        for await (const news of this.#input.conversation.follow(this.#position, end)) this.#show(news, signal);
      } catch (error) {
        if (!end.aborted) throw error;
      }
    }
  }

  #show({ lines, activity, open }: News, end: AbortSignal): void {
    this.#open = open;
    this.#activity = activity;
    if (!this.#isBusy()) this.#interrupted = false;
    this.#showStatus(end);
    for (const line of lines) {
      if (line.from === "agent" && line.sender) this.#agent = line.sender;
      this.#position = Math.max(this.#position, line.position ?? 0);
      this.#screen?.print(renderLine(line, this.#agent, this.#input.paint));
      this.#save(line, end);
    }
  }

  /** Files come after their line, since a large one takes its time. */
  #save(line: Line, end: AbortSignal): void {
    if (line.from !== "agent" || !line.files) return;
    this.#saving = this.#saving.then(async () => {
      const saved = await this.#input.transfers.save(line, end).catch(() => []);
      for (const { name, path } of saved) this.notice(printable(`${name} is saved: ${path}`));
    });
  }

  #showStatus(end: AbortSignal): void {
    const id = this.#waitingFor();
    this.#screen?.status(id ? `waiting for ${this.#agent}…` : renderActivity(this.#activity, this.#agent));
    if (id && this.#session) void this.#explainWait({ id, session: this.#session }, end);
  }

  /** Id of the message that waits while nothing is done for it. */
  #waitingFor(): string | undefined {
    return this.#activity.state === "idle" ? this.#open[0] : undefined;
  }

  async #explainWait(message: { id: string; session: string }, end: AbortSignal): Promise<void> {
    const row = await this.#input.conversation.rowOf(message, end).catch(() => undefined);
    const failed = row && failedTries(row);
    if (failed === undefined || this.#waitingFor() !== message.id) return;
    this.#screen?.status(
      `waiting for ${this.#agent}… (${shorten(failed.replaceAll(/\s+/g, " "), maxReasonCharacters)})`,
    );
  }

  #isBusy(): boolean {
    return this.#unsent > 0 || this.#open.length > 0 || this.#activity.state !== "idle";
  }

  #text(text: string, end: AbortSignal): void {
    if (text === "") return;
    switch (text) {
      case "/quit":
      case "/exit":
        this.#left.abort();
        return;
      case "/help":
        this.#screen?.print(help);
        return;
      case "/stop":
        this.#stop(end);
        return;
    }
    const file = parseFileCommand(text);
    if (file === "unreadable") this.notice(`Write ${fileCommandUsage}.`);
    else if (file) this.#send(file.text, file.path, end);
    else if (/^\/[a-z]+$/.test(text)) this.notice(`There is no command ${text}. /help lists them.`);
    else this.#send(text, undefined, end);
  }

  /** One after the other, so that messages keep their order also while the router is away. */
  #send(text: string | undefined, path: string | undefined, end: AbortSignal): void {
    this.#unsent++;
    this.#sending = this.#sending.then(async () => {
      try {
        const files = path === undefined ? [] : [await this.#input.transfers.upload(path, end)];
        const said = await this.#input.conversation.say(saying(text, files), this.#position, end);
        this.#session = said.session;
        this.#agent = agentOfSession(said.session);
        this.#look.abort();
      } catch (error) {
        if (!end.aborted) this.notice(sentenceOf(error));
      } finally {
        this.#unsent--;
      }
    });
  }

  #interrupt(typed: string, end: AbortSignal): void {
    if (typed !== "") {
      this.#screen?.clearTyped();
      return;
    }
    if (this.#interrupted || !this.#isBusy()) {
      this.#left.abort();
      return;
    }
    this.#interrupted = true;
    this.#stop(end);
  }

  #stop(end: AbortSignal): void {
    this.#input.conversation.stop(end).then(
      (stopping) => this.notice(stopping ? "Stopping …" : "Nothing is running."),
      (error: unknown) => {
        if (!end.aborted) this.notice(sentenceOf(error));
      },
    );
  }

  /** Waits for the answers to what was said. Asks anew, since what was heard last may be older than what was said last. */
  #drain(end: AbortSignal): void {
    const drain = async () => {
      await this.#sending;
      this.#following.abort();
      for await (const news of this.#input.conversation.follow(this.#position, end)) {
        this.#show(news, end);
        if (news.open.length === 0) break;
        this.#tellWaiting();
      }
      await this.#saving;
    };
    drain().then(this.#drained.resolve, this.#drained.reject);
  }

  #tellWaiting(): void {
    if (!this.#toldWaiting) this.notice("Waiting for the answer; Ctrl-C leaves without it.");
    this.#toldWaiting = true;
  }
}

const sentenceOf = (error: unknown): string => (error instanceof CopepodError ? error.message : String(error));

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
