import type { SessionWish } from "../queue/queue-store.ts";

/** Who starts sessions: the supervisor here, the operator (through the Session resource) in a cluster. */
export interface SessionStarter {
  /** Says what the queue wants for one session; the last word counts. Rejects when it could not be said. */
  put(wish: SessionWish): Promise<void>;
}

/** Who a token belongs to, as the starter tells it. */
export interface Identities {
  /** @param tokenHash hex sha256 of the bearer token. @throws CopepodError `podUnknown` */
  sessionOf(tokenHash: string): PodIdentity;
  /** @throws CopepodError `podUnknown` */
  channelOf(tokenHash: string): string;
}

export interface PodIdentity {
  /** Row key. */
  readonly session: string;
  readonly epoch: number;
  readonly podUid: string;
}
