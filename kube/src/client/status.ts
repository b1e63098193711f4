import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { ApiError } from "../errors.ts";
import { maxMessageLength, maxRetryAfterMs } from "./limits.ts";

const statusSchema = z.object({
  kind: z.literal("Status"),
  message: z.string().default(""),
  reason: z.string().default(""),
  code: z.number().int().optional(),
  details: z
    .object({
      causes: z.array(z.object({ field: z.string().default(""), message: z.string().default("") })).default([]),
      retryAfterSeconds: z.number().nonnegative().optional(),
    })
    .optional(),
});

export interface Refusal {
  /** Verb, resource and name, for the sentence. */
  readonly what: string;
  /** HTTP status; that of the Status object counts without it. */
  readonly status?: number;
  readonly body: unknown;
  readonly retryAfterMs?: number;
}

/** The error of an answer that is not a success, or of an ERROR event. */
export function toApiError({ what, status, body, retryAfterMs }: Refusal): ApiError {
  const parsed = statusSchema.safeParse(body);
  const said = parsed.success ? parsed.data : undefined;
  const code = status ?? said?.code ?? 500;
  const seconds = said?.details?.retryAfterSeconds;
  const pauseMs = retryAfterMs ?? (seconds ? boundPause(seconds * 1_000) : undefined);
  const sentence = said?.message.slice(0, maxMessageLength) || "the API server gave no reason";
  return new ApiError(`${what}: ${sentence} (HTTP ${code})`, {
    status: code,
    reason: said?.reason ?? "",
    causes: said?.details?.causes ?? [],
    ...(pauseMs !== undefined && { retryAfterMs: pauseMs }),
  });
}

/** `Retry-After`: seconds or a date. @returns milliseconds from now on, bounded; undefined when it says nothing */
export function retryAfterOf({ headers }: Pick<IncomingMessage, "headers">, nowMs = Date.now()): number | undefined {
  const value = headers["retry-after"]?.trim();
  if (!value) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return Number.isNaN(ms) ? undefined : boundPause(ms);
}

const boundPause = (ms: number): number => Math.min(Math.max(ms, 0), maxRetryAfterMs);
