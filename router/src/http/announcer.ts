import { keyOf } from "@copepod/core/addresses";
import type { Conversation, Written } from "../queue/queue-store.ts";
import { bells, type Doorbell } from "./doorbell.ts";

/** Rings whoever a commit concerns. Called after the commit, never before. */
export class Announcer {
  readonly #doorbell: Doorbell;
  readonly #touched: (session: string) => void;

  /** @param touched is told of each session that has changed */
  constructor(doorbell: Doorbell, touched: (session: string) => void = () => {}) {
    this.#doorbell = doorbell;
    this.#touched = touched;
  }

  written({ channels, conversations }: Written): void {
    for (const channel of channels) this.#doorbell.ring(bells.channel(channel));
    for (const conversation of conversations) this.#doorbell.ring(bells.conversation(conversation));
  }

  /** Rows, control rows, a drain or a pod UID: something for the session's runner. */
  sessionChanged(session: string): void {
    this.#doorbell.ring(bells.session(session));
    this.#touched(session);
  }

  activityChanged({ id, namespace, channel }: Conversation): void {
    this.#doorbell.ring(bells.conversation(id), bells.channel(keyOf(namespace, channel)));
  }
}
