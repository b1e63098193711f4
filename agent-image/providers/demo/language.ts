import type { FailureClass } from "@copepod/core/messages";

/** What a message asks of the demo agent. */
export type DemoCommand =
  | { readonly kind: "help" | "recall" | "count" }
  | { readonly kind: "remember" | "send" | "file" | "talk"; readonly text: string }
  | { readonly kind: "wait"; readonly seconds: number }
  | { readonly kind: "fail"; readonly class: FailureClass };

/** One thing said to one destination. */
export interface DemoAnswer {
  readonly to: string;
  readonly text: string;
}

/** Longest wait that can be asked for. */
export const maxWaitSeconds = 60;
/** Longest part of a message that is quoted back. */
const maxQuoteCharacters = 1_000;
/** Answers to one destination are joined up to this length, so that no quote is cut in two when they are delivered. */
const maxBlockCharacters = 30_000;

export const introduction =
  "I am the built-in demo agent of Copepod. There is no model behind me: I follow a few simple commands and repeat " +
  "everything else. Say `help` for the list.";

export const helpText = [
  "I know these commands:",
  "help — shows this list",
  "remember <text> — writes a line into my memory, which all my conversations share",
  "recall — shows what I remember",
  `wait <seconds> — works for that long, at most ${maxWaitSeconds}; you can go on writing, or stop me`,
  "send <text> — sends the text at once, before my answer",
  "file <text> — writes the text into a file, and sends you that; I also tell what I see of files that you send",
  "count — how many turns this conversation has had",
  "fail transient | permanent | auth | rateLimited — fails the turn in that way",
].join("\n");

const failures: Readonly<Record<string, FailureClass>> = {
  transient: "transient",
  permanent: "permanent",
  auth: "auth",
  ratelimited: "rateLimited",
};

/** Reads a command; a text that is none of them is small talk. */
export function parseCommand(text: string): DemoCommand {
  const talk: DemoCommand = { kind: "talk", text };
  const [, word = "", rest = ""] = /^\s*(\S+)\s*([\s\S]*)$/.exec(text) ?? [];
  const argument = rest.trim();
  const kind = word.toLowerCase();
  switch (kind) {
    case "help":
    case "recall":
    case "count":
      return argument === "" ? { kind } : talk;
    case "remember":
    case "send":
    case "file":
      return argument === "" ? talk : { kind, text: argument };
    case "wait":
      return parseWait(argument) ?? talk;
    case "fail":
      return parseFail(argument) ?? talk;
    default:
      return talk;
  }
}

function parseWait(argument: string): DemoCommand | undefined {
  if (!/^\d{1,4}(\.\d{1,3})?$/.test(argument)) return undefined;
  return { kind: "wait", seconds: Math.min(Number(argument), maxWaitSeconds) };
}

function parseFail(argument: string): DemoCommand | undefined {
  const failure = failures[argument.toLowerCase()];
  return failure && { kind: "fail", class: failure };
}

/**
 * A text as it was said, up to a length. The tags of the output grammar get another bracket: what a person writes must
 * not become a message to somebody else.
 */
export function quote(text: string): string {
  const harmless = text.replaceAll(/<(?=\/?(?:message|internal)\b)/gi, "‹");
  return harmless.length <= maxQuoteCharacters ? harmless : `${harmless.slice(0, maxQuoteCharacters)}…`;
}

/** The final text of a turn, in the output grammar; what goes to the same destination in a row is one message. */
export function toOutput(answers: readonly DemoAnswer[]): string {
  const blocks: DemoAnswer[] = [];
  for (const answer of answers) {
    const last = blocks.at(-1);
    if (last?.to === answer.to && last.text.length + answer.text.length < maxBlockCharacters) {
      blocks[blocks.length - 1] = { to: last.to, text: `${last.text}\n\n${answer.text}` };
    } else blocks.push(answer);
  }
  return blocks.map(({ to, text }) => `<message to="${to}">${text}</message>`).join("\n");
}
