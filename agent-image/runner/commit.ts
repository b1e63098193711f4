import { codeOf, type ErrorCode } from "@copepod/core/errors";
import type { AgentMessage, MailboxClient } from "@copepod/core/mailbox-api";
import type { FailureClass, MailboxMessage } from "@copepod/core/messages";
import type { Logger } from "pino";
import type { Lane } from "./lane.ts";
import type { Life } from "./life.ts";
import type { Retry } from "./retry.ts";

/** Longest explanation of a failure that the mailbox takes. */
const maxFailureCharacters = 2_000;

/** The router refuses the messages themselves: the same call would never pass. */
const refusals: ReadonlySet<ErrorCode> = new Set(["destinationUnknown", "invalid", "tooLarge"]);
const refusedNotice = "The agent wrote an answer that could not be delivered.";

export interface CommitDeps {
  readonly mailbox: MailboxClient;
  readonly retry: Retry;
  readonly instance: string;
  readonly lane: Lane;
  readonly life: Life;
  readonly log: Logger;
}

export interface Finish {
  readonly turn: number;
  readonly consumed: readonly number[];
  readonly messages: readonly AgentMessage[];
  readonly cancelled?: boolean;
  /** Told to the person when the turn has no message for them. */
  readonly notice?: string;
}

export interface Failure {
  readonly turn: number;
  readonly class: FailureClass;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
  /** Rows that the turn had begun with or the provider had read. */
  readonly rows: readonly number[];
  /** What the turn said before it failed. */
  readonly said: readonly AgentMessage[];
}

/** Ends a turn's rows and sends its final messages, in one commit. */
export async function finishTurn(finish: Finish, deps: CommitDeps): Promise<void> {
  const { mailbox, retry, instance, life, lane, log } = deps;
  const input = { ...finish, instance, consumed: [...finish.consumed], messages: [...finish.messages] };
  try {
    await retry("finish", life.ended, (options) => mailbox.finish(input, options));
  } catch (error) {
    const code = codeOf(error);
    if (!refusals.has(code)) throw error;
    log.warn({ turn: finish.turn, code }, "final messages refused");
    const without = { ...input, messages: [], notice: refusedNotice };
    await retry("finish", life.ended, (options) => mailbox.finish(without, options));
  }
  lane.forget(finish.consumed);
}

/**
 * Gives a turn's rows back. Those that are tried again later take everything behind them along, to keep the order;
 * where a retry does not help, only what the provider has seen ends.
 */
export async function failTurn(failure: Failure, deps: CommitDeps): Promise<void> {
  const { mailbox, retry, instance, life, lane, log } = deps;
  const { turn, said, retryAfterMs } = failure;
  const rows = failure.class === "permanent" || failure.class === "auth" ? [...failure.rows] : lane.held();
  const input = {
    instance,
    turn,
    rows,
    class: failure.class,
    message: failure.message.slice(0, maxFailureCharacters),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs: Math.max(0, Math.round(retryAfterMs)) }),
  };
  log.warn({ turn, class: failure.class, rows: rows.length }, "turn failed");
  const { dead } = await retry("fail", life.ended, (options) => mailbox.fail(input, options));
  const again = rows.filter((seq) => !dead.includes(seq));
  lane.forget(rows.filter((seq) => dead.includes(seq)));
  if (again.length > 0) lane.giveBack(again, { turn, messages: said });
}

/** Rows that were already on their way when rows before them went back: they go back too, and follow them later. */
export async function returnRows(messages: readonly MailboxMessage[], deps: CommitDeps): Promise<void> {
  const { mailbox, retry, instance, life } = deps;
  const rows = messages.map((message) => message.seq);
  const turn = Math.min(...rows);
  const input = { instance, turn, rows, class: "transient" as const, message: "a message before it is tried again" };
  await retry("fail", life.ended, (options) => mailbox.fail(input, options));
}
