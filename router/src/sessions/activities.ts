import { keyOf } from "@copepod/core/addresses";
import type { Typing } from "@copepod/core/channel-api";
import type { Activity } from "@copepod/core/messages";
import type { Conversation } from "../queue/queue-store.ts";

const idle: Activity = { state: "idle" };

/** More than this is not a chat but a flood: no further indicators. */
const maxIndicators = 10_000;

interface Indicator {
  readonly session: string;
  readonly conversation: Conversation;
  readonly thread: string | undefined;
  activity: Activity;
  version: number;
}

/**
 * What sessions are doing, for typing indicators: from the commit of a row until its turn ends. Only in memory: after a
 * restart an indicator is missing until the next message.
 */
export class Activities {
  readonly #byConversation = new Map<string, Indicator>();
  readonly #bySession = new Map<string, Set<Indicator>>();
  readonly #byChannel = new Map<string, Set<Indicator>>();
  readonly #channelVersions = new Map<string, number>();
  #changes = 0;
  readonly #changed: (conversation: Conversation) => void;

  constructor(changed: (conversation: Conversation) => void) {
    this.#changed = changed;
  }

  /** A row of the conversation was accepted for a session that is awake or waking. */
  started(session: string, conversation: Conversation, thread: string | undefined): void {
    if (this.#byConversation.has(conversation.id) || this.#byConversation.size >= maxIndicators) return;
    const indicator: Indicator = { session, conversation, thread, activity: { state: "thinking" }, version: 0 };
    this.#byConversation.set(conversation.id, indicator);
    addTo(this.#bySession, session, indicator);
    addTo(this.#byChannel, keyOf(conversation.namespace, conversation.channel), indicator);
    this.#tell(indicator);
  }

  reported(session: string, activity: Activity): void {
    if (activity.state === "idle") {
      this.ended(session);
      return;
    }
    for (const indicator of this.#bySession.get(session) ?? []) {
      if (indicator.activity.state === activity.state && indicator.activity.tool === activity.tool) continue;
      indicator.activity = activity;
      this.#tell(indicator);
    }
  }

  ended(session: string): void {
    const indicators = this.#bySession.get(session);
    this.#bySession.delete(session);
    for (const indicator of indicators ?? []) {
      this.#byConversation.delete(indicator.conversation.id);
      this.#byChannel.get(keyOf(indicator.conversation.namespace, indicator.conversation.channel))?.delete(indicator);
      this.#tell(indicator);
    }
  }

  /** The version differs for each state that a long poll may have seen; 0 = idle. */
  ofConversation(id: string): { readonly activity: Activity; readonly version: number } {
    const indicator = this.#byConversation.get(id);
    return indicator ? { activity: indicator.activity, version: indicator.version } : { activity: idle, version: 0 };
  }

  /** @param channel row key */
  typingOf(channel: string): { readonly typing: Typing[]; readonly version: number } {
    const typing = [...(this.#byChannel.get(channel) ?? [])].map(({ conversation, thread }) => ({
      address: conversation.address,
      ...(thread === undefined ? {} : { thread }),
    }));
    return { typing, version: this.#channelVersions.get(channel) ?? 0 };
  }

  #tell(indicator: Indicator): void {
    const { conversation } = indicator;
    indicator.version = ++this.#changes;
    this.#channelVersions.set(keyOf(conversation.namespace, conversation.channel), this.#changes);
    this.#changed(conversation);
  }
}

function addTo(map: Map<string, Set<Indicator>>, key: string, indicator: Indicator): void {
  const set = map.get(key);
  if (set) set.add(indicator);
  else map.set(key, new Set([indicator]));
}
