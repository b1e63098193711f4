import { text as readAll } from "node:stream/consumers";
import type { AdminClient } from "@copepod/core/admin-api";
import { CopepodError, parseInput } from "@copepod/core/errors";
import { durationMs, durationSchema } from "@copepod/crds/duration";
import { answerTo, openConversation } from "../chat/answer.ts";
import { type Context, print, tell } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { untilSignal } from "./signals.ts";

export interface AskOptions {
  readonly session?: string;
  readonly group?: string;
  readonly timeout: string;
  readonly output?: "json";
}

/** Sessions that are searched for the one that `--session` names. */
const maxSessionsSearched = 500;

/** One question, one answer. */
export async function ask(context: Context, prompt: string | undefined, options: AskOptions): Promise<number> {
  const timeoutMs = durationMs(parseInput(durationSchema, options.timeout));
  const text = (prompt ?? (await readAll(context.io.stdin))).trim();
  if (text === "") throw new CopepodError("invalid", "the prompt is empty; give it as an argument or on stdin");
  const connection = await context.connect(context.settings);
  try {
    const conversation = openConversation(context, connection, {
      conversation: await conversationName(context, connection.admin, options.session),
      sender: context.userName,
      group: options.group,
    });
    const answers: string[] = [];
    const said = await untilSignal(context, async (interrupted) => {
      const { position } = await conversation.history(1, interrupted);
      return await answerTo(context, {
        conversation,
        text,
        known: position,
        timeoutMs,
        interrupted,
        onSaid: ({ session }) => {
          if (options.output !== "json") tell(context, `session: ${session}`);
        },
        onAnswer: (answer) => {
          answers.push(answer);
          if (options.output !== "json") print(context, answer);
        },
      });
    });
    if (options.output === "json") print(context, JSON.stringify({ session: said.session, answers }, null, 2));
    return exitCodes.ok;
  } finally {
    await connection.close();
  }
}

async function conversationName(context: Context, admin: AdminClient, session: string | undefined): Promise<string> {
  if (session === undefined) return `ask-${context.randomKey().slice(0, 8)}`;
  const { items } = await admin.listSessions({ limit: maxSessionsSearched });
  const found = items.find((item) => item.name === session);
  if (!found) throw new CopepodError("notFound", `no session is called "${session}"`);
  if (found.terminal === undefined) {
    throw new CopepodError("invalid", `session "${session}" does not belong to a terminal conversation`);
  }
  return found.terminal;
}
