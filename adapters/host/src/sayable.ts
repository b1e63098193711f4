import { createHash } from "node:crypto";
import { maxReasonLength, maxRetryAfterMs } from "@copepod/core/limits";
import { type ChannelError, nameSchema } from "@copepod/core/messages";
import type { Outcome } from "./deliver.ts";

/** The outcome within the bounds of the Channel API: what a platform or an adapter makes up is not bounded. */
export function sayable(outcome: Outcome): Outcome {
  if (outcome.kind === "fail") return { kind: "fail", error: sayableError(outcome.error) };
  return { kind: "complete", platformMessageId: sayableId(outcome.platformMessageId) };
}

/** The message was shown, so a strange id must not keep that from being said. */
function sayableId(id: string): string {
  if (id === "") return "unknown";
  return nameSchema.safeParse(id).success ? id : `sha256:${createHash("sha256").update(id).digest("hex")}`;
}

function sayableError({ class: failure, message, retryAfterMs }: ChannelError): ChannelError {
  const wait = retryAfterMs === undefined || Number.isNaN(retryAfterMs) ? {} : { retryAfterMs: clamp(retryAfterMs) };
  return { class: failure, message: message.slice(0, maxReasonLength).toWellFormed(), ...wait };
}

const clamp = (ms: number): number => Math.min(maxRetryAfterMs, Math.max(0, Math.ceil(ms)));
