import { createHash } from "node:crypto";

/** What the provider keeps of a session: its thread, and a digest of the instructions that the thread was told last. */
export interface Continuation {
  readonly threadId: string;
  readonly told: string | undefined;
}

const digestLength = 16;
const separator = " ";
const preface = "Your instructions have changed. These replace all earlier ones:\n\n";

export const digest = (instructions: string): string =>
  createHash("sha256").update(instructions).digest("hex").slice(0, digestLength);

export const writeContinuation = (threadId: string, instructions: string): string =>
  `${threadId}${separator}${digest(instructions)}`;

export function readContinuation(continuation: string): Continuation {
  const [threadId = "", told] = continuation.split(separator);
  return { threadId, told };
}

/**
 * Which instructions a loaded thread has been told. Codex takes new ones only when it loads a thread, and shows even
 * those to the model only after the next compaction; until then a message in the conversation tells what has changed.
 */
export class Instructions {
  readonly #loaded: string;
  #told: string | undefined;

  /**
   * @param loaded the instructions that the thread was loaded with
   * @param told digest of those that stand in the conversation
   */
  constructor(loaded: string, told: string | undefined) {
    this.#loaded = digest(loaded);
    this.#told = told;
  }

  /** The conversation was shortened: it begins with what the thread was loaded with. */
  compacted(): void {
    this.#told = this.#loaded;
  }

  /** @returns an item for the conversation, or undefined if the model knows the instructions already */
  tell(instructions: string): object | undefined {
    const wanted = digest(instructions);
    if (this.#told === wanted) return undefined;
    this.#told = wanted;
    const content = [{ type: "input_text", text: preface + instructions }];
    return { type: "message", role: "developer", content };
  }
}
