import { maxBodyBytes, maxMessagesPerFinish, maxTextLength } from "@copepod/core/limits";
import type { AgentMessage } from "@copepod/core/mailbox-api";
import { nameSchema } from "@copepod/core/messages";
import type { Output } from "./output.ts";

/** What the messages of one `finish` may take of its body; the rest is for the seqs and the braces. */
const finalBytes = maxBodyBytes / 2;

export interface Answer {
  /** What was not said in this turn before. The router tells the agent about those to unknown destinations. */
  readonly messages: readonly AgentMessage[];
  /** The agent wrote something, but nobody can get it. */
  readonly lost: boolean;
  /** The agent said nothing to anybody in this turn, and did not mark that as meant. */
  readonly silent: boolean;
}

/** What a final text means, given the address book and what the turn has sent before its end. */
export function toAnswer(output: Output, destinations: ReadonlySet<string>, sent: readonly AgentMessage[]): Answer {
  const nothing = sent.length === 0 && !output.messages.some((message) => destinations.has(message.to));
  return {
    messages: output.messages.filter(
      ({ to, text }) =>
        nameSchema.safeParse(to).success && !sent.some((other) => other.to === to && other.text === text),
    ),
    lost: nothing && (output.messages.length > 0 || output.scratchpad !== ""),
    silent: nothing && !output.internal,
  };
}

/**
 * Makes messages fit the mailbox: long texts in several parts, and what is too much for one `finish` before it.
 * Joined again they are what was given, in order.
 */
export function splitForFinish(messages: readonly AgentMessage[]): {
  readonly early: readonly AgentMessage[];
  readonly final: readonly AgentMessage[];
} {
  const parts = messages.flatMap(({ to, text }) => splitText(text).map((part) => ({ to, text: part })));
  let first = parts.length;
  for (let bytes = 0; first > 0 && parts.length - first < maxMessagesPerFinish; first--) {
    bytes += Buffer.byteLength(JSON.stringify(parts[first - 1]));
    if (bytes > finalBytes) break;
  }
  return { early: parts.slice(0, first), final: parts.slice(first) };
}

/** Cuts at the end of a line or word in the last half of a part, else anywhere but inside a character. */
function splitText(text: string): string[] {
  const clean = text.replaceAll("\0", "");
  const parts: string[] = [];
  let at = 0;
  while (clean.length - at > maxTextLength) {
    const window = clean.slice(at, at + maxTextLength);
    const gap = Math.max(window.lastIndexOf("\n"), window.lastIndexOf(" "));
    const hard = window.charCodeAt(maxTextLength - 1) >> 10 === highSurrogates ? maxTextLength - 1 : maxTextLength;
    const end = gap > maxTextLength / 2 ? gap + 1 : hard;
    parts.push(window.slice(0, end));
    at += end;
  }
  return [...parts, clean.slice(at)].filter((part) => part.trim() !== "");
}

/** What the first halves of a surrogate pair have in common: 0xD800 to 0xDBFF without their lowest ten bits. */
const highSurrogates = 0xd800 >> 10;
