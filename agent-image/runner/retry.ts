import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import type { CallOptions } from "@copepod/core/endpoint";
import { codeOf, type ErrorCode } from "@copepod/core/errors";
import type { Logger } from "pino";
import type { Time } from "./time.ts";

/** Answers that stay, however often the call is made. Everything else is an outage, and ends some time. */
const lasting: ReadonlySet<ErrorCode> = new Set([
  "superseded",
  "unauthorized",
  "forbidden",
  "invalid",
  "tooLarge",
  "quotaExceeded",
  "notFound",
  "conflict",
  "destinationUnknown",
]);
/** A fault on the other side is tried as often; then the runner ends, and its successor starts from a clean state. */
const maxFaults = 6;

export interface RetryDeps {
  readonly time: Time;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Logger;
}

/**
 * One call of the mailbox, repeated until it has an answer that stays.
 * @throws CopepodError with a lasting code; the signal's reason when it aborts.
 */
export type Retry = <T>(
  name: string,
  signal: AbortSignal,
  call: (options: Required<CallOptions>) => Promise<T>,
) => Promise<T>;

export function createRetry(deps: RetryDeps): Retry {
  return async (name, signal, call) => {
    const failures = new Failures(name, deps);
    for (;;) {
      try {
        const answer = await call({ signal });
        failures.over();
        return answer;
      } catch (error) {
        signal.throwIfAborted();
        await failures.wait(error, signal);
      }
    }
  };
}

/** The failures of one call in a row. */
class Failures {
  readonly #call: string;
  readonly #deps: RetryDeps;
  #count = 0;
  #faults = 0;

  constructor(call: string, deps: RetryDeps) {
    this.#call = call;
    this.#deps = deps;
  }

  over(): void {
    if (this.#count > 0) this.#deps.log.info({ call: this.#call, failures: this.#count }, "mailbox answers again");
  }

  /** Until the next attempt. @throws the error when another attempt can't help. */
  async wait(error: unknown, signal: AbortSignal): Promise<void> {
    const { time, random, log } = this.#deps;
    const code = codeOf(error);
    this.#count++;
    if (code === "internal") this.#faults++;
    if (lasting.has(code) || this.#faults >= maxFaults) throw error;
    const level = this.#count === 1 ? "info" : "debug";
    log[level]({ call: this.#call, code, failures: this.#count }, "mailbox does not answer, trying again");
    await time.sleep(backoffMs(reconnectBackoff, this.#count, random()), signal);
    signal.throwIfAborted();
  }
}
