import { createInterface } from "node:readline";
import type { Line } from "@copepod/core/admin-api";
import { CopepodError, parseInput } from "@copepod/core/errors";
import { durationMs, durationSchema } from "@copepod/crds/duration";
import { answerTo, openConversation } from "../chat/answer.ts";
import { type Saying, saying } from "../chat/conversation.ts";
import { createPaint } from "../chat/render.ts";
import { TerminalChat } from "../chat/terminal-chat.ts";
import { type AdminConnection, type Context, print, tell } from "../context.ts";
import { exitCodeOf, exitCodes } from "../exit-codes.ts";
import { fileCommandUsage, parseFileCommand } from "../files/file-command.ts";
import { openTransfers, type Transfers } from "../files/transfers.ts";
import { describeError } from "../output/describe-error.ts";
import { untilSignal } from "./signals.ts";
import { untilReady } from "./system.ts";

export interface ChatOptions {
  readonly conversation: string;
  readonly group?: string;
  readonly timeout: string;
}

/** A chat with the system that runs. */
export async function chat(context: Context, options: ChatOptions): Promise<number> {
  return await chatOver(context, options, await context.connect(context.settings));
}

/** @param connection is closed at the end. */
export async function chatOver(context: Context, options: ChatOptions, connection: AdminConnection): Promise<number> {
  try {
    return await untilSignal(context, async (interrupted) => {
      await untilReady(context, connection, interrupted);
      return await converse(context, options, { connection, interrupted });
    });
  } finally {
    await connection.close();
  }
}

export interface Connected {
  readonly connection: AdminConnection;
  /** Aborts when the person or the system asks the chat to end. */
  readonly interrupted: AbortSignal;
  /** Below the history; has a default. */
  readonly greeting?: string;
  /** Called when a terminal chat can show what the system has to tell. */
  onVoice?(notice: (sentence: string) => void): void;
}

/** Chats at a terminal, or answers the lines of a pipe. */
export function converse(context: Context, options: ChatOptions, connected: Connected): Promise<number> {
  return context.io.stdin.isTTY === true && context.io.stdout.isTTY === true
    ? converseAtTerminal(context, options, connected)
    : answerLines(context, options, connected);
}

async function converseAtTerminal(context: Context, options: ChatOptions, connected: Connected): Promise<number> {
  const paint = createPaint(context.io.stdout);
  const notice = (sentence: string) => chat.notice(sentence);
  const conversation = openConversation(context, connected.connection, {
    conversation: options.conversation,
    sender: context.userName,
    group: options.group,
    notice,
  });
  const chat: TerminalChat = new TerminalChat({
    io: context.io,
    paint,
    conversation,
    transfers: openTransfers(context, conversation, { tell: notice }),
    agent: options.group ?? (await agentOf(connected.connection, options.conversation)),
    greeting: connected.greeting ?? "Write a message and press Enter. /help lists the commands.",
  });
  connected.onVoice?.((sentence) => chat.notice(sentence));
  await chat.run(connected.interrupted);
  return exitCodes.ok;
}

/** The agent group that has answered in the conversation before. */
async function agentOf({ admin, namespace }: AdminConnection, conversation: string): Promise<string> {
  const { items } = await admin.listSessions({ namespace });
  return items.find(({ terminal }) => terminal === conversation)?.group ?? "agent";
}

/** One prompt per line; its answer is printed before the next line is said. One without an answer stops no others. */
async function answerLines(context: Context, options: ChatOptions, connected: Connected): Promise<number> {
  const timeoutMs = durationMs(parseInput(durationSchema, options.timeout));
  const { interrupted, connection } = connected;
  const conversation = openConversation(context, connection, {
    conversation: options.conversation,
    sender: context.userName,
    group: options.group,
  });
  const tellPerson = (sentence: string) => tell(context, sentence);
  const transfers = openTransfers(context, conversation, { tell: tellPerson });
  const onAnswer = async (line: Line) => {
    print(context, line.text);
    for (const { path } of await transfers.save(line, interrupted)) tellPerson(`saved: ${path}`);
  };
  let code: number = exitCodes.ok;
  let { position: known } = await conversation.history(1, interrupted);
  for await (const line of createInterface({ input: context.io.stdin, signal: interrupted })) {
    const text = line.trim();
    if (text === "/quit") break;
    if (text === "") continue;
    const said = await toSaying(text, transfers, interrupted);
    const question = { conversation, ...said, known, timeoutMs, interrupted, onAnswer };
    const { position, failure } = await answerTo(context, question);
    known = position;
    if (!failure) continue;
    tellPerson(describeError(failure));
    code = exitCodeOf(failure);
  }
  return interrupted.aborted ? exitCodes.interrupted : code;
}

/** A line of the pipe; a file that it names is uploaded. @throws CopepodError */
async function toSaying(text: string, transfers: Transfers, signal: AbortSignal): Promise<Saying> {
  const file = parseFileCommand(text);
  if (file === "unreadable") throw new CopepodError("invalid", `write ${fileCommandUsage}`);
  return file ? saying(file.text, [await transfers.upload(file.path, signal)]) : saying(text, []);
}
