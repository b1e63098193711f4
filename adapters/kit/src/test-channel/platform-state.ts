import { once, setMaxListeners } from "node:events";
import { createFaults, type Faults } from "./faults.ts";
import type { PlatformEvent, PlatformMessage } from "./wire.ts";

export interface PlatformOptions {
  /** Path of a Unix socket; without it a free loopback port. */
  readonly socket?: string;
  /** The platform drops a repeat of the same key. Default false. */
  readonly idempotentSends?: boolean;
  /** Default true; false answers 403. */
  readonly historyReadable?: boolean;
  /** The history shows each message's key. Default true; false leaves text and time to compare. */
  readonly keysInHistory?: boolean;
}

/** What somebody says; all but the text has a default. */
export interface Said {
  /** Default: the chat's name is of a direct chat. */
  readonly kind?: "Direct" | "Group";
  readonly chatName?: string;
  readonly thread?: string;
  readonly sender?: { readonly id: string; readonly name?: string };
  readonly mentionsAgent?: boolean;
  readonly quote?: { readonly sender: string; readonly text: string };
}

/** One line as a person sees it in a chat. */
export interface ShownLine {
  readonly from: "person" | "agent";
  readonly id: string;
  readonly text: string;
  readonly thread?: string;
  /** Idempotency key; lines of the agent only. */
  readonly key?: string;
  /** UTC milliseconds. */
  readonly at: number;
}

export interface PlatformState {
  readonly options: PlatformOptions;
  readonly faults: Faults;
  readonly changes: EventTarget;
  /** Event by event as handed out; a redelivery appears again. The cursor is an index into it. */
  readonly stream: PlatformEvent[];
  readonly events: Map<string, PlatformEvent>;
  readonly chats: Map<string, ShownLine[]>;
  readonly byKey: Map<string, string>;
  readonly typing: Map<string, number>;
  sends: number;
  lines: number;
}

export function createState(options: PlatformOptions): PlatformState {
  const changes = new EventTarget();
  setMaxListeners(0, changes);
  return {
    options,
    faults: createFaults(),
    changes,
    stream: [],
    events: new Map(),
    chats: new Map(),
    byKey: new Map(),
    typing: new Map(),
    sends: 0,
    lines: 0,
  };
}

export function changed(state: PlatformState): void {
  state.changes.dispatchEvent(new Event("change"));
}

export async function until({ changes }: PlatformState, condition: () => boolean, signal: AbortSignal): Promise<void> {
  while (!condition()) await once(changes, "change", { signal });
}

export function say(state: PlatformState, { chat, text, said }: { chat: string; text: string; said: Said }): string {
  const id = `event-${state.events.size + 1}`;
  const { sender = { id: "person" }, kind = "Direct", mentionsAgent = false, thread, chatName, quote } = said;
  const at = Date.now();
  const event = {
    ...{ id, chat, kind, sender, text, mentionsAgent, at },
    ...(chatName === undefined ? {} : { chatName }),
    ...(thread === undefined ? {} : { thread }),
    ...(quote === undefined ? {} : { quote }),
  };
  state.events.set(id, event);
  state.stream.push(event);
  show(state, chat, { from: "person", text, at, ...(thread === undefined ? {} : { thread }) });
  return id;
}

function show(state: PlatformState, chat: string, line: Omit<ShownLine, "id">): string {
  state.lines += 1;
  const id = `line-${state.lines}`;
  const lines = state.chats.get(chat) ?? [];
  lines.push({ ...line, id });
  state.chats.set(chat, lines);
  return id;
}

export function redeliver(state: PlatformState, id: string): void {
  const event = state.events.get(id);
  if (!event) throw new RangeError(`no event ${id} was ever said`);
  state.stream.push(event);
}

export function showOnce(state: PlatformState, { chat, thread, text, key }: PlatformMessage): string {
  const before = state.options.idempotentSends ? state.byKey.get(key) : undefined;
  if (before !== undefined) return before;
  const line = { from: "agent", text, key, at: Date.now() } as const;
  const id = show(state, chat, { ...line, ...(thread === undefined ? {} : { thread }) });
  state.byKey.set(key, id);
  return id;
}
