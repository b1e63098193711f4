import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { ApiError } from "../errors.ts";
import { maxMessageLength, maxRetryAfterMs } from "./limits.ts";

/** One field that can't be read must not hide the others: what to do next hangs on the code. */
const statusSchema = z.object({
  message: z.string().optional().catch(undefined),
  reason: z.string().catch(""),
  code: z.int().optional().catch(undefined),
  details: z
    .object({
      causes: z.array(z.object({ field: z.string().catch(""), message: z.string().catch("") })).catch([]),
      retryAfterSeconds: z.number().nonnegative().optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
});

export interface Refusal {
  /** Verb, resource and name, for the sentence. */
  readonly what: string;
  /** HTTP status; that of the Status object counts without it. */
  readonly status?: number;
  readonly body: unknown;
  readonly retryAfterMs?: number | undefined;
}

/** The error of an answer that is not a success, or of an ERROR event. */
export function toApiError({ what, status, body, retryAfterMs }: Refusal): ApiError {
  const { message, reason, code, details } = statusSchema.safeParse(body).data ?? { reason: "" };
  const number = status ?? code ?? 500;
  const seconds = details?.retryAfterSeconds;
  const pauseMs = retryAfterMs ?? (seconds === undefined ? undefined : bounded(seconds * 1_000));
  const sentence = message?.slice(0, maxMessageLength) || "the API server gave no reason";
  return new ApiError(`${what}: ${sentence} (HTTP ${number})`, {
    status: number,
    reason,
    causes: details?.causes ?? [],
    ...(pauseMs !== undefined && { retryAfterMs: pauseMs }),
  });
}

/** `Retry-After`: seconds or a date. @returns milliseconds from now on, bounded; undefined when it says nothing */
export function retryAfterOf({ headers }: Pick<IncomingMessage, "headers">, nowMs: number): number | undefined {
  const value = headers["retry-after"]?.trim();
  if (!value) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return Number.isNaN(ms) ? undefined : bounded(ms);
}

const bounded = (ms: number): number => Math.min(Math.max(ms, 0), maxRetryAfterMs);
