import { maxRetryAfterMs } from "@copepod/core/limits";
import type { FailureClass } from "@copepod/core/messages";
import { z } from "zod";
import type { ProviderEvent } from "../provider.ts";
import type { TurnError } from "./protocol.ts";

export type Failed = Extract<ProviderEvent, { kind: "failed" }>;

/** Names that Codex gives to errors, where the HTTP status is not told. */
const namedClasses: Readonly<Record<string, FailureClass>> = {
  unauthorized: "auth",
  rateLimitExceeded: "rateLimited",
  usageLimitExceeded: "rateLimited",
  serverOverloaded: "transient",
  internalServerError: "transient",
  flexUnavailable: "transient",
  policyCapacityUnavailable: "transient",
  httpConnectionFailed: "transient",
  responseStreamConnectionFailed: "transient",
  responseStreamDisconnected: "transient",
  responseTooManyFailedAttempts: "transient",
  contextWindowExceeded: "permanent",
  sessionBudgetExceeded: "permanent",
  modelNotFound: "permanent",
  badRequest: "permanent",
  cyberPolicy: "permanent",
  misalignmentPolicyViolation: "permanent",
};

export function toFailure({ message, codexErrorInfo }: TurnError): Failed {
  const [name, details] =
    typeof codexErrorInfo === "string" ? [codexErrorInfo] : (Object.entries(codexErrorInfo ?? {})[0] ?? []);
  const failureClass = classOfStatus(details?.httpStatusCode) ?? classOfName(name, message);
  const retryAfterMs = failureClass === "rateLimited" ? readRetryAfter(message) : undefined;
  const failed: Failed = { kind: "failed", class: failureClass, message: readable(message) };
  return retryAfterMs === undefined ? failed : { ...failed, retryAfterMs };
}

function classOfStatus(status: number | null | undefined): FailureClass | undefined {
  if (status === null || status === undefined) return undefined;
  if (status === 401 || status === 403) return "auth";
  if (status === 429) return "rateLimited";
  if (status >= 500 || status === 408) return "transient";
  return status >= 400 ? "permanent" : undefined;
}

/** A 400 comes without a name, and its message is the body of the answer. */
function classOfName(name: string | undefined, message: string): FailureClass {
  if (name !== undefined && Object.hasOwn(namedClasses, name)) return namedClasses[name] ?? "unknown";
  return bodyMessage(message) === undefined ? "unknown" : "permanent";
}

/** OpenAI says it only in words: "Please try again in 11.054s", or "in 250ms". */
function readRetryAfter(message: string): number | undefined {
  const [, amount, unit] = /try again in (\d+(?:\.\d+)?)\s?(ms|s)/i.exec(message) ?? [];
  if (amount === undefined) return undefined;
  return Math.min(Math.ceil(Number(amount) * (unit === "ms" ? 1 : 1_000)), maxRetryAfterMs);
}

/** The sentence in the body of a refused request, or the message without the session's own address. */
const readable = (message: string): string => bodyMessage(message) ?? message.replace(/, url: \S+/, "");

const bodySchema = z.object({ error: z.object({ message: z.string() }) });

function bodyMessage(message: string): string | undefined {
  try {
    return bodySchema.parse(JSON.parse(message)).error.message;
  } catch {
    return undefined;
  }
}
