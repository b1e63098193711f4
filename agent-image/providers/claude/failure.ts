import type { FailureClass } from "@copepod/core/messages";
import type { ProviderEvent } from "../provider.ts";
import { classOfStatus } from "../status-class.ts";
import type { SdkResult } from "./sdk.ts";

const unexplained = "The harness ended the turn without saying why.";

type Failed = Extract<ProviderEvent, { kind: "failed" }>;

/** What the harness says of a session that it does not have. */
const sessionLost = /No conversation found with session ID|--resume requires a valid session/;
/** Ends of a turn after which each further one would end in the same way. */
const conversationTooLong = ["prompt_too_long", "blocking_limit", "rapid_refill_breaker"];
/** Advice to somebody who sits at the harness, whom nobody can follow here. */
const foreignAdvice = [
  /^Please run \/login · /,
  /^Failed to authenticate\. /,
  / This is a server-side issue, usually temporary — try again in a moment\..*$/,
];

/** Why a turn failed, by the result of the harness. @param retryAfterMs what the API asked to wait, when it did. */
export function toFailure(result: SdkResult, retryAfterMs: number | undefined): Failed {
  const said = result.result ?? result.errors?.join(" ") ?? "";
  if (sessionLost.test(said)) {
    const message = "The earlier conversation is no longer there; the next try begins a new one.";
    return { kind: "failed", class: "transient", message, continuationLost: true };
  }
  if (conversationTooLong.includes(result.terminal_reason ?? "")) {
    const message = "The conversation is too long for the model; the next message begins a new one.";
    return { kind: "failed", class: "permanent", message, continuationLost: true };
  }
  const failureClass = classOf(result, said);
  const message = foreignAdvice.reduce((text, advice) => text.replace(advice, ""), said);
  const wait = failureClass === "rateLimited" && retryAfterMs !== undefined ? { retryAfterMs } : {};
  return { kind: "failed", class: failureClass, message: message || unexplained, ...wait };
}

function classOf({ api_error_status: status, terminal_reason: reason }: SdkResult, said: string): FailureClass {
  if (said.startsWith("Not logged in")) return "auth";
  if (status) return classOfStatus(status);
  // No answer at all: the network, or the proxy.
  return reason === "api_error" ? "transient" : "unknown";
}
