import { codeOf, type ErrorCode } from "@copepod/core/errors";
import { heartbeatMs } from "@copepod/core/limits";
import type { MailboxClient } from "@copepod/core/mailbox-api";
import type { Activity } from "@copepod/core/messages";
import type { Logger } from "pino";
import type { Life } from "./life.ts";
import type { Time } from "./time.ts";

/** Changes of activity are told at once, but no more often than this. */
const minGapMs = 250;

export interface HeartbeatDeps {
  readonly mailbox: Pick<MailboxClient, "heartbeat">;
  readonly instance: string;
  readonly life: Life;
  readonly time: Time;
  readonly log: Logger;
}

export interface Heartbeat {
  activity(activity: Activity): void;
  /** Ends when the signal of `run` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Says that the runner lives and what it does, on its own timer: a provider that hangs must not look like a dead runner.
 * A beat without an answer is not repeated, since the next one says the same.
 */
export function createHeartbeat(deps: HeartbeatDeps): Heartbeat {
  let current: Activity = { state: "idle" };
  let told = "";
  let awake = new AbortController();

  async function beat(signal: AbortSignal): Promise<void> {
    const activity = current;
    told = JSON.stringify(activity);
    const timeout = AbortSignal.any([signal, AbortSignal.timeout(heartbeatMs)]);
    try {
      const { drain } = await deps.mailbox.heartbeat({ instance: deps.instance, activity }, { signal: timeout });
      if (drain) deps.life.drain("drain");
    } catch (error) {
      if (!signal.aborted) missed(codeOf(error));
    }
  }

  function missed(code: ErrorCode): void {
    if (code === "superseded" || code === "unauthorized") deps.life.end(code);
    else deps.log.debug({ code }, "heartbeat without an answer");
  }

  /** Until the next beat is due: at once after a change, but never sooner than the gap. */
  async function pause(signal: AbortSignal): Promise<void> {
    await deps.time.sleep(minGapMs, signal);
    if (JSON.stringify(current) !== told) return;
    awake = new AbortController();
    await deps.time.sleep(heartbeatMs - minGapMs, AbortSignal.any([signal, awake.signal]));
  }

  return {
    activity(activity) {
      current = activity;
      awake.abort();
    },
    async run(signal) {
      while (!signal.aborted) {
        await beat(signal);
        await pause(signal);
      }
    },
  };
}
