import { inboundBackoff } from "@copepod/core/backoff";
import { codeOf, type ErrorCode } from "@copepod/core/errors";
import { leaseMs } from "@copepod/core/limits";
import type { AgentMessage, MailboxClient } from "@copepod/core/mailbox-api";
import type { FailureClass } from "@copepod/core/messages";
import type { Logger } from "pino";
import type { Lane } from "./lane.ts";
import type { Life } from "./life.ts";
import type { Retry } from "./retry.ts";
import type { Time } from "./time.ts";

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
  readonly time: Time;
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
  readonly rows: readonly number[];
  readonly class: FailureClass;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
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

/** Gives a turn's rows back; what the router sends again later keeps its place in the lane. */
export async function failTurn(failure: Failure, deps: CommitDeps): Promise<void> {
  const { mailbox, retry, instance, life, lane, time, log } = deps;
  const retryAfterMs = failure.retryAfterMs === undefined ? undefined : Math.max(0, Math.round(failure.retryAfterMs));
  const input = {
    turn: failure.turn,
    rows: [...failure.rows],
    class: failure.class,
    instance,
    message: failure.message.slice(0, maxFailureCharacters),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
  log.warn({ turn: failure.turn, class: failure.class }, "turn failed");
  const { dead } = await retry("fail", life.ended, (options) => mailbox.fail(input, options));
  const again = failure.rows.filter((seq) => !dead.includes(seq));
  lane.forget(dead);
  lane.giveBack(again, time.now() + (retryAfterMs ?? inboundBackoff.maxMs) + leaseMs);
}
