import type { Line } from "@copepod/core/admin-api";
import { CopepodError } from "@copepod/core/errors";
import type { MessageFile } from "@copepod/core/files";
import { type AdminConnection, type Context, tell } from "../context.ts";
import { ExitError } from "../exit-codes.ts";
import { Conversation, type ConversationInput, type Said } from "./conversation.ts";
import { printable } from "./render.ts";

export interface Question {
  readonly conversation: Conversation;
  readonly text: string;
  readonly files?: readonly MessageFile[];
  /** Position behind the lines that are known. */
  readonly known: number;
  readonly timeoutMs: number;
  /** Aborts when the person interrupts. */
  readonly interrupted: AbortSignal;
  onSaid?(said: Said): void;
  /** Called with each line of the agent. */
  onAnswer(line: Line): Promise<void>;
}

export interface Answered {
  readonly session: string;
  readonly position: number;
}

/**
 * Says something and waits for the answer. Copepod's own sentences are told as prose.
 * @returns the session, and the position behind the answer.
 * @throws CopepodError `timeout`, `cancelled` (interrupted: the turn is stopped), or the code of a refusal; ExitError
 *   `unanswered` when the turn ended without a word of the agent
 */
export async function answerTo(context: Context, question: Question): Promise<Answered> {
  const { conversation, interrupted } = question;
  const late = AbortSignal.timeout(question.timeoutMs);
  const end = AbortSignal.any([interrupted, late]);
  try {
    return await hearAnswer(context, question, end);
  } catch (error) {
    if (interrupted.aborted) {
      await stopTurn(conversation);
      throw new CopepodError("cancelled", "interrupted");
    }
    if (late.aborted) throw new CopepodError("timeout", "the answer did not come in time; the message is kept");
    throw error;
  }
}

async function hearAnswer(context: Context, question: Question, end: AbortSignal): Promise<Answered> {
  const said = await question.conversation.say(question, question.known, end);
  question.onSaid?.(said);
  let position = said.after;
  let answered = false;
  for await (const line of question.conversation.answers(said, end)) {
    position = Math.max(position, line.position ?? 0);
    if (line.from === "agent") {
      answered = true;
      await question.onAnswer(line);
    } else if (line.from === "system") {
      tell(context, printable(line.text));
    }
  }
  if (!answered) throw new ExitError("unanswered", "providerFailed", "the agent ended its turn without an answer");
  return { session: said.session, position };
}

/** How long a stop may take when the person is leaving already. */
const stopTimeoutMs = 2_000;

async function stopTurn(conversation: Conversation): Promise<void> {
  try {
    await conversation.stop(AbortSignal.timeout(stopTimeoutMs));
  } catch {
    // The person leaves either way; the turn ends by itself.
  }
}

/** A conversation of a command, whose outages are told once each. */
export function openConversation(
  context: Context,
  { admin, blobs, hasEnded }: Pick<AdminConnection, "admin" | "blobs" | "hasEnded">,
  input: ConversationInput & { notice?(sentence: string): void },
): Conversation {
  const notice = input.notice ?? ((sentence: string) => tell(context, sentence));
  let isOut = false;
  return new Conversation(input, {
    admin,
    blobs,
    hasEnded,
    randomKey: context.randomKey,
    random: context.random,
    onOutage: () => {
      if (!isOut) notice("Copepod does not answer; trying again …");
      isOut = true;
    },
    onAnswer: () => {
      if (isOut) notice("Copepod is back.");
      isOut = false;
    },
  });
}
