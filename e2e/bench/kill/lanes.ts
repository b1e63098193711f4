import { pause } from "@copepod/adapter-kit/pause";
import type { Platform } from "@copepod/adapter-kit/test-channel/platform";
import type { AdminClient } from "@copepod/core/admin-api";
import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import { type ChatRecord, numbered } from "./checker.ts";

/** A place where numbered messages are said and answered in order. */
export interface KillLane {
  readonly name: string;
  /** Says the next numbered message. @returns the id of its event, where the platform can deliver it again. */
  sayNumbered(): string | undefined;
  /** Says something that keeps the agent busy, so that what follows finds a running turn. */
  sayBusy(): void;
  /** Resolves when all that was said has been taken. */
  taken(): Promise<void>;
  record(signal: AbortSignal): Promise<ChatRecord>;
}

const busyText = "wait 0.3";

/** A direct chat of the scripted platform, or a thread of a group there. */
export function platformLane(platform: Platform, name: string, thread?: { readonly chat: string }): KillLane {
  const chat = thread?.chat ?? name;
  let said = 0;
  const say = (text: string) => {
    // Of one sender the router takes a bounded rate only.
    const sender = { id: `person-of-${name}` };
    const place = thread ? ({ kind: "Group", thread: name, mentionsAgent: true } as const) : {};
    return platform.say(chat, text, { sender, ...place });
  };
  return {
    name,
    sayNumbered: () => {
      said += 1;
      return say(numbered(name, said));
    },
    sayBusy: () => void say(busyText),
    taken: async () => undefined,
    async record() {
      const lines = platform.log(chat).filter((line) => line.from === "agent" && (!thread || line.thread === name));
      return { chat: name, said, answers: lines.map(({ text }) => text) };
    },
  };
}

/** A terminal conversation, which the router serves itself: what it does not answer is said again. */
export function terminalLane(admin: AdminClient, name: string, signal: AbortSignal): KillLane {
  let said = 0;
  let calls = 0;
  let last = Promise.resolve();
  const say = (text: string) => {
    calls += 1;
    const dedupeKey = `${name}-${calls}`;
    last = last.then(() => untilTaken(admin, { conversation: name, sender: "person", text, dedupeKey }, signal));
  };
  return {
    name,
    sayNumbered: () => {
      said += 1;
      say(numbered(name, said));
      return undefined;
    },
    sayBusy: () => say(busyText),
    taken: () => last,
    record: async (reading) => ({ chat: name, said, answers: await linesOf(admin, name, reading) }),
  };
}

type SayInput = Parameters<AdminClient["say"]>[0];

async function untilTaken(admin: AdminClient, input: SayInput, signal: AbortSignal): Promise<void> {
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      await admin.say(input, { signal });
      return;
    } catch {
      await pause(backoffMs(reconnectBackoff, failures, 0), signal);
    }
  }
}

async function linesOf(admin: AdminClient, conversation: string, signal: AbortSignal): Promise<string[]> {
  const texts: string[] = [];
  for (let after = 0; ; ) {
    const { lines, position } = await admin.events({ conversation, after, waitMs: 0 }, { signal });
    if (lines.length === 0) return texts;
    texts.push(...lines.filter(({ from }) => from === "agent").map(({ text }) => text));
    after = position;
  }
}
