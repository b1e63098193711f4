import { resolve } from "node:path";
import { text as readAll } from "node:stream/consumers";
import { CopepodError, parseInput } from "@copepod/core/errors";
import { durationMs, durationSchema } from "@copepod/crds/duration";
import { answerTo, openConversation } from "../chat/answer.ts";
import { type ConversationInput, saying } from "../chat/conversation.ts";
import { type AdminConnection, type Context, print, tell } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { openTransfers, type SavedFile } from "../files/transfers.ts";
import { untilSignal } from "./signals.ts";

export interface AskOptions {
  readonly session?: string;
  readonly group?: string;
  readonly file: readonly string[];
  /** Folder for files of the answer. */
  readonly save?: string;
  readonly timeout: string;
  readonly output?: "json";
}

/** Sessions that are searched for the one that `--session` names. */
const maxSessionsSearched = 500;

/** One question, one answer. */
export async function ask(context: Context, prompt: string | undefined, options: AskOptions): Promise<number> {
  const timeoutMs = durationMs(parseInput(durationSchema, options.timeout));
  const text = await readPrompt(context, prompt, options);
  const connection = await context.connect(context.settings);
  try {
    const where = await conversationOf(context, connection, options);
    const conversation = openConversation(context, connection, { ...where, sender: context.userName });
    const transfers = openTransfers(context, conversation, {
      tell: (sentence) => tell(context, sentence),
      folder: options.save === undefined ? undefined : resolve(options.save),
    });
    const output = new Output(context, options.output === "json");
    const { failure } = await untilSignal(context, async (interrupted) => {
      const files = [];
      for (const path of options.file) files.push(await transfers.upload(path, interrupted));
      const { position } = await conversation.history(1, interrupted);
      return await answerTo(context, {
        conversation,
        ...saying(text, files),
        known: position,
        timeoutMs,
        interrupted,
        onSaid: ({ session }) => output.session(session),
        onAnswer: async (line) => output.answer(line.text, await transfers.save(line, interrupted)),
      });
    });
    if (failure) throw failure;
    output.end();
    return exitCodes.ok;
  } finally {
    await connection.close();
  }
}

/** Prose and data as they come, or one JSON object at the end. */
class Output {
  readonly #context: Context;
  readonly #isJson: boolean;
  readonly #answers: string[] = [];
  readonly #files: SavedFile[] = [];
  #session = "";

  constructor(context: Context, isJson: boolean) {
    this.#context = context;
    this.#isJson = isJson;
  }

  session(session: string): void {
    this.#session = session;
    if (!this.#isJson) tell(this.#context, `session: ${session}`);
  }

  answer(text: string, files: readonly SavedFile[]): void {
    this.#answers.push(text);
    this.#files.push(...files);
    if (this.#isJson) return;
    print(this.#context, text);
    for (const { path } of files) tell(this.#context, `saved: ${path}`);
  }

  end(): void {
    const [session, answers, files] = [this.#session, this.#answers, this.#files];
    if (this.#isJson) print(this.#context, JSON.stringify({ session, answers, files }, null, 2));
  }
}

/** A file needs no word beside it. @returns undefined for none */
async function readPrompt(context: Context, prompt: string | undefined, { file }: AskOptions) {
  const isMissing = prompt === undefined && file.length > 0 && context.io.stdin.isTTY === true;
  const text = isMissing ? "" : (prompt ?? (await readAll(context.io.stdin))).trim();
  if (text !== "") return text;
  if (file.length > 0) return undefined;
  throw new CopepodError("invalid", "the prompt is empty; give it as an argument or on stdin");
}

/** A conversation may have sessions of several agent groups: who names one of them speaks to its group. */
async function conversationOf(
  context: Context,
  { admin, namespace }: AdminConnection,
  { session, group }: AskOptions,
): Promise<Pick<ConversationInput, "conversation" | "group">> {
  if (session === undefined) return { conversation: `ask-${context.randomKey().slice(0, 8)}`, group };
  const { items } = await admin.listSessions({ namespace, limit: maxSessionsSearched });
  const found = items.find((item) => item.name === session);
  if (!found) throw new CopepodError("notFound", `no session is called "${session}"`);
  if (found.terminal === undefined) {
    throw new CopepodError("invalid", `session "${session}" does not belong to a terminal conversation`);
  }
  if (group !== undefined && group !== found.group) {
    throw new CopepodError("invalid", `session "${session}" is of the agent group "${found.group}", not "${group}"`);
  }
  return { conversation: found.terminal, group: found.group };
}
