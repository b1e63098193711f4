import type { Line, MessageRow, SessionRow } from "@copepod/core/admin-api";

/** The programs that stories kill, wherever they run. */
export type StoryProgram = "router" | "proxy" | "runner";

/** A whole system, wherever it runs: what the same stories need of it here and in a cluster. */
export interface StorySystem extends AsyncDisposable {
  /** Says something in a terminal conversation; repeats until the router has it. */
  say(conversation: string, text: string): Promise<{ id: string; session: string }>;
  stop(conversation: string): Promise<{ stopping: boolean }>;
  /** All that the conversation shows to the person so far. */
  lines(conversation: string): Promise<Line[]>;
  /** Waits for the lines that answer a message, until it is no longer open. */
  answerTo(conversation: string, id: string, timeoutMs?: number): Promise<string[]>;
  ask(conversation: string, text: string, timeoutMs?: number): Promise<string>;
  sessions(): Promise<SessionRow[]>;
  messages(session: string, state: MessageRow["state"]): Promise<MessageRow[]>;
  /** Makes a dead letter pending again. */
  retry(id: string): Promise<MessageRow>;
  /** Whether a pod of any session is there. */
  hasPod(): Promise<boolean>;
  /** Kills all processes of a program and waits until they are gone. @returns how many */
  kill(program: StoryProgram): Promise<number>;
  /** Ends everything in good order, and starts it again. */
  restart(): Promise<void>;
  /** What all programs have logged. */
  logs(): Promise<string>;
}

export type StartSystem = (resources: readonly object[]) => Promise<StorySystem>;
