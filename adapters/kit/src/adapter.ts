import type { Abilities, ChannelHealth, Delivery, InboundEventInput, Typing } from "@copepod/core/channel-api";
import type { ChannelError } from "@copepod/core/messages";

export type SendResult =
  | { readonly ok: true; readonly platformMessageId: string }
  | { readonly ok: false; readonly error: ChannelError };

/**
 * What became of a delivery with an unknown outcome, looked up in the platform's history. `unknown` = the history
 * can't tell, now or later.
 */
export type Reconciled =
  | { readonly outcome: "sent"; readonly platformMessageId: string }
  | { readonly outcome: "notSent" | "unknown" };

/** What the host gives to an adapter. Nothing else: no environment, no globals. */
export interface AdapterContext {
  /** The Channel's `config`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Where the adapter stood when its events were last accepted. */
  readonly cursor: string | undefined;
  /** In [0, 1), for the jitter of back-offs. */
  readonly random: () => number;
  /**
   * Resolves when the rows are committed; only then may the platform be told "received" or the cursor move. When it
   * rejects, nothing may be taken as committed: the same events are to be given again.
   */
  accept(events: readonly InboundEventInput[], cursor?: string): Promise<void>;
  health(health: ChannelHealth): void;
}

/** The code for one platform. Renders and sends; never truncates, never retries, never repeats an unknown outcome. */
export interface ChannelAdapter {
  /** Receives until the signal aborts; reconnects by itself. Rejects only when it can never work. */
  run(signal: AbortSignal): Promise<void>;
  /** One platform call with a stable idempotency key and an explicit outcome. */
  send(delivery: Delivery, signal: AbortSignal): Promise<SendResult>;
  /** Only with the ability `history`. Rejects when it could not look now; the host then asks again later. */
  reconcile?(delivery: Delivery, signal: AbortSignal): Promise<Reconciled>;
  /** Best effort; its failure never fails anything. */
  typing?(conversation: Typing, signal: AbortSignal): Promise<void>;
}

export interface AdapterPackage {
  readonly type: string;
  readonly abilities: Abilities;
  /** @throws CopepodError `invalid` when the config is not what the platform needs */
  create(context: AdapterContext): ChannelAdapter;
}
