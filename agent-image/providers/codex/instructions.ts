import { createHash } from "node:crypto";

/** What the provider keeps of a session: its thread, and a digest of the instructions that the thread was told last. */
export interface Continuation {
  readonly threadId: string;
  readonly told: string | undefined;
}

const digestLength = 16;
const separator = " ";
const preface = "Your instructions have changed. These replace all earlier ones:\n\n";

const digest = (instructions: string): string =>
  createHash("sha256").update(instructions).digest("hex").slice(0, digestLength);

export const writeContinuation = (threadId: string, instructions: string): string =>
  `${threadId}${separator}${digest(instructions)}`;

export function readContinuation(continuation: string): Continuation {
  const [threadId = "", told] = continuation.split(separator);
  return { threadId, told };
}

/**
 * Codex takes new instructions only when it loads a thread, and shows even those to the model only after the next
 * compaction. Until then an item of the conversation tells them.
 * @returns undefined if the thread was told these instructions already
 */
export function toItem(instructions: string, told: string | undefined): object | undefined {
  if (told === digest(instructions)) return undefined;
  return { type: "message", role: "developer", content: [{ type: "input_text", text: preface + instructions }] };
}
