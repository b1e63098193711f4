import type { KubeClient } from "../client/client.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { ObjectName } from "../object.ts";

/** All in ms; `leaseMs` > `renewDeadlineMs` > `retryMs`. */
export interface ElectionTimes {
  /** Others wait for this long after the last sign of a holder. Whole seconds in the Lease. */
  readonly leaseMs: number;
  /** A holder that could not renew for this long stands down: before anybody else may begin. */
  readonly renewDeadlineMs: number;
  /** Between two tries to get or to renew. */
  readonly retryMs: number;
}

export const defaultElectionTimes: ElectionTimes = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 };

/** What an election tells about itself. Its methods must not throw. */
export interface ElectionObserver {
  leading(isLeading: boolean): void;
  /** A renewal had to read the Lease first, since somebody else had written it. */
  slowPath(): void;
}

export interface ElectionOptions {
  /** One of its own: no other call may make a renewal wait, for the rate or for a connection. */
  readonly client: Pick<KubeClient, "get" | "create" | "mergePatch">;
  readonly lease: ObjectName;
  /** Of this process alone, such as the pod's name with something random; not reused after a restart. */
  readonly candidate: string;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** `defaultElectionTimes` without it. */
  readonly times?: ElectionTimes;
  readonly observer?: ElectionObserver;
}
