export interface ModelRow {
  readonly session: string;
  readonly key: string;
  readonly text: string;
  readonly kind: "chat" | "task";
  readonly trigger: boolean;
  seq: number | undefined;
  due: number;
  state: "pending" | "leased" | "done" | "dead";
  attempt: number;
  retryAt: number | undefined;
  code: string | undefined;
  endedAt: number | undefined;
  lastError: string | undefined;
}

export interface ModelOut {
  readonly session: string;
  readonly lane: string;
  readonly text: string;
  readonly seq: number | undefined;
  state: "pending" | "leased" | "sent" | "unknown" | "dead";
  attempt: number;
  uncertain: boolean;
  retryAt: number | undefined;
  expiresAt: number;
  code: string | undefined;
  endedAt: number | undefined;
}

export interface ModelSession {
  readonly name: string;
  wanted: boolean;
  epoch: number;
  lastSeq: number;
  waiting: number | undefined;
  failures: number;
  retryAt: number | undefined;
  activeAt: number;
  pod: number;
  podKnown: boolean;
  instance: string | undefined;
  /** Seqs that the runner knows it holds. */
  known: number[];
}
