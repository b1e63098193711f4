import type { Line, MessageRow } from "@copepod/core/admin-api";
import { CopepodError } from "@copepod/core/errors";
import type { MessageFile } from "@copepod/core/files";
import { type AdminConnection, type Context, tell } from "../context.ts";
import type { ExitError } from "../exit-codes.ts";
import { Conversation, type ConversationInput, type Said } from "./conversation.ts";
import { lateError, unansweredError } from "./outcome.ts";
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
  /** The turn has ended without a word of the agent. */
  readonly failure: ExitError | undefined;
}

/**
 * Says something and waits for the answer. Copepod's own sentences are told as prose.
 * @returns the session, and the position behind the answer.
 * @throws CopepodError `timeout`, `cancelled` (interrupted: the turn is stopped), or the code of a refusal
 */
export async function answerTo(context: Context, question: Question): Promise<Answered> {
  const { conversation, interrupted } = question;
  const late = AbortSignal.timeout(question.timeoutMs);
  const end = AbortSignal.any([interrupted, late]);
  let said: Said | undefined;
  try {
    said = await conversation.say(question, question.known, end);
    question.onSaid?.(said);
    return await hearAnswer(context, { ...question, said }, end);
  } catch (error) {
    if (interrupted.aborted) {
      await stopTurn(conversation);
      throw new CopepodError("cancelled", "interrupted");
    }
    if (late.aborted) throw lateError(said && (await findRow(conversation, said)));
    throw error;
  }
}

async function hearAnswer(
  context: Context,
  { conversation, said, onAnswer }: Question & { readonly said: Said },
  end: AbortSignal,
): Promise<Answered> {
  let position = said.after;
  let isAnswered = false;
  let isTold = false;
  for await (const line of conversation.answers(said, end)) {
    position = Math.max(position, line.position ?? 0);
    if (line.from === "agent") {
      isAnswered = true;
      await onAnswer(line);
    } else if (line.from === "system") {
      isTold = true;
      tell(context, printable(line.text));
    }
  }
  const { session } = said;
  if (isAnswered) return { session, position, failure: undefined };
  return { session, position, failure: unansweredError({ row: await findRow(conversation, said), isTold }) };
}

/** How long it may take to find out why there is no answer. */
const rowTimeoutMs = 2_000;

async function findRow(conversation: Conversation, said: Said): Promise<MessageRow | undefined> {
  try {
    return await conversation.rowOf(said, AbortSignal.timeout(rowTimeoutMs));
  } catch {
    // What is told without it is true too, only less.
    return undefined;
  }
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
  { admin, blobs, namespace, hasEnded }: Omit<AdminConnection, "close">,
  input: ConversationInput & { notice?(sentence: string): void },
): Conversation {
  const notice = input.notice ?? ((sentence: string) => tell(context, sentence));
  let isOut = false;
  return new Conversation(input, {
    admin,
    blobs,
    namespace,
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
