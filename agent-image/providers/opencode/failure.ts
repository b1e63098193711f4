import { maxRetryAfterMs } from "@copepod/core/limits";
import type { FailureClass } from "@copepod/core/messages";
import { z } from "zod";
import type { ProviderEvent } from "../provider.ts";
import { classOfStatus } from "../status-class.ts";

export type Failed = Extract<ProviderEvent, { kind: "failed" }>;

/** How OpenCode tells an error of a turn. */
export const wireErrorSchema = z.object({
  name: z.string(),
  data: z
    .object({
      message: z.string().optional(),
      statusCode: z.int().optional(),
      isRetryable: z.boolean().optional(),
      responseHeaders: z.record(z.string(), z.string()).optional(),
    })
    .default({}),
});
export type WireError = z.output<typeof wireErrorSchema>;

/** While OpenCode tries a request again, it tells the words of the API, but not the status. */
export interface Retry {
  /** 1 after the first request that failed. */
  readonly attempt: number;
  readonly message: string;
  /** Unix time in ms of the next request. */
  readonly next: number;
}

export const fail = (failureClass: FailureClass, message: string): Failed => ({
  kind: "failed",
  class: failureClass,
  message,
});

const namedClasses: Readonly<Record<string, FailureClass>> = {
  ProviderAuthError: "auth",
  ContextOverflowError: "permanent",
  MessageOutputLengthError: "permanent",
  ContentFilterError: "permanent",
  MessageAbortedError: "transient",
};

/** Why a turn failed. */
export function toFailure({ name, data }: WireError): Failed {
  const message = data.message || `OpenCode ended the turn with ${name}.`;
  const failed = fail(namedClasses[name] ?? classOf(data), message);
  const waitMs = failed.class === "rateLimited" ? readRetryAfter(data.responseHeaders ?? {}) : undefined;
  return waitMs === undefined ? failed : { ...failed, retryAfterMs: waitMs };
}

function classOf({ statusCode, isRetryable }: WireError["data"]): FailureClass {
  if (statusCode === undefined) return isRetryable ? "transient" : "unknown";
  return classOfStatus(statusCode);
}

/** The words of the known APIs, and of servers that only pass the name of the status on. */
const rateLimitWords = /rate.?limit|too many requests|quota|\b429\b/i;

/** Why a request that OpenCode would send yet again has failed so far. @param now Unix time in ms */
export function toRetryFailure({ message, next }: Retry, now: number): Failed {
  if (!rateLimitWords.test(message)) return fail("transient", message);
  return { ...fail("rateLimited", message), retryAfterMs: Math.min(Math.max(0, next - now), maxRetryAfterMs) };
}

function readRetryAfter(headers: Readonly<Record<string, string>>): number | undefined {
  const seconds = Number.parseFloat(headers["retry-after"] ?? "");
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1_000, maxRetryAfterMs) : undefined;
}
