import type { Seen } from "./objects.ts";

/** What was found of a session, from the router down to its containers. */
export interface SessionFacts {
  readonly name: string;
  readonly namespace: string;
  /** Why the router could not be asked; undefined = it answered. */
  readonly routerTrouble: string | undefined;
  readonly row: RowFacts | undefined;
  readonly session: Seen<ObjectFacts>;
  readonly group: Seen<GroupFacts>;
  readonly operator: OperatorFacts;
  readonly pod: Seen<PodFacts>;
}

export interface RowFacts {
  readonly phase: string;
  readonly epoch: number;
  readonly pending: number;
  /** The router's sentence. */
  readonly reason: string | undefined;
  /** The newest message in without an end. */
  readonly open: { readonly state: string; readonly attempt: number; readonly reason: string | undefined } | undefined;
  /** Code and sentence of the newest message that was given up. */
  readonly dead: string | undefined;
}

export interface ObjectFacts {
  readonly suspended: boolean;
  readonly wanted: boolean;
  readonly wantedEpoch: number;
  readonly phase: string;
  readonly epoch: number;
  /** The condition Ready, where it is False. */
  readonly notReady: { readonly reason: string; readonly message: string } | undefined;
}

export interface GroupFacts {
  readonly suspended: boolean;
  /** What is not ready of it. */
  readonly trouble: string | undefined;
}

export interface OperatorFacts {
  /** Why none of its pods is ready; undefined = one is, or it may not be seen. */
  readonly trouble: string | undefined;
  /** Milliseconds since its Lease was renewed. */
  readonly leaseAgeMs: Seen<number>;
}

export interface PodFacts {
  readonly name: string;
  readonly epoch: number | undefined;
  readonly phase: string;
  readonly isEnding: boolean;
  /** Why it has no node. */
  readonly unscheduled: string | undefined;
  readonly containers: readonly ContainerFacts[];
}

export interface ContainerFacts {
  readonly name: string;
  readonly isReady: boolean;
  readonly restarts: number;
  /** In the words of the kubelet, such as `ImagePullBackOff: …`; undefined = it runs. */
  readonly waiting: string | undefined;
}
