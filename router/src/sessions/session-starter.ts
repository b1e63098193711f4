import type { SessionWish } from "../queue/queue-store.ts";

/** Who starts sessions: the supervisor here, the operator (through the Session resource) in a cluster. */
export interface SessionStarter {
  /**
   * Says what the queue wants for one session; the last word counts. Rejects when it could not be said.
   * @returns the epoch of the wish; a greater one when the starter has heard that before, and so did not take the wish
   */
  put(wish: SessionWish): Promise<number>;
  /** The queue knows nothing of the session: it is to sleep. */
  dismiss(session: string): Promise<void>;
}

/** Who a token belongs to. */
export interface Identities {
  /** @throws CopepodError `podUnknown`, `unauthorized` */
  sessionOf(bearer: string): Promise<PodIdentity>;
  /** @returns row key of the Channel. @throws CopepodError `podUnknown`, `unauthorized` */
  channelOf(bearer: string): Promise<string>;
}

export interface PodIdentity {
  /** Row key. */
  readonly session: string;
  readonly epoch: number;
  readonly podUid: string;
}

/** How a session's pod is doing. */
export interface PodReport {
  /** Row key. */
  readonly session: string;
  readonly epoch: number;
  /** Undefined as long as there is no pod. */
  readonly podUid: string | undefined;
  readonly phase: "Starting" | "Running" | "Draining" | "Failed";
  /** Why it is Failed, or what keeps it from starting: a sentence for the person. */
  readonly reason?: string | undefined;
  /** After the running turn the pod is to be replaced. */
  readonly drainRequested?: boolean | undefined;
}

/** What the starter tells the rest of the router. */
export interface StarterListener {
  /** After each (re)connect, before anything else: say everything again. */
  connected(): void;
  /** Pods that are new or have changed; repeats do no harm. */
  pods(pods: readonly PodReport[]): Promise<void>;
  /** The starter may have forgotten what it was told of the session: say it again. */
  forgot(session: string): void;
  /** `suspended` says something else. */
  suspensionsChanged(): void;
}

/** The router's side of the program that runs sessions. */
export interface StarterLink extends SessionStarter, Identities {
  /** The full list of channels that need an adapter host. */
  putChannels(channels: readonly { readonly channel: string; readonly type: string }[]): Promise<void>;
  /** Follows what runs until the signal aborts. */
  follow(listener: StarterListener, signal: AbortSignal): Promise<void>;
  /** Sentences; empty while all is well. */
  notReady(): readonly string[];
  /** Something that people see of the session may have changed. */
  touched(session: string): void;
  /** Row keys of sessions that people have suspended one by one. */
  suspended(): readonly string[];
}
