import type { ErrorCode } from "@copepod/core/errors";
import type { InboundKind, InboundState, OutboundState } from "@copepod/core/messages";
import type { SessionKeyKind } from "../../queue-store.ts";

/** Rows as the tables hold them: snake case, null for nothing, 0 and 1 for booleans. */
export interface SessionRecord {
  readonly session: string;
  readonly agent_group: string;
  readonly key_kind: SessionKeyKind;
  readonly conversation: string | null;
  readonly thread: string | null;
  readonly max_running: number;
  readonly wanted: number;
  readonly epoch: number;
  /** 1 = the starter was not told yet that the session is unwanted. */
  readonly unsettled: number;
  readonly pod_uid: string | null;
  readonly instance: string | null;
  /** 1 = the pod ends by itself; 2 = it is to be ended after its turn. */
  readonly draining: number;
  /** Place in the line for admission, by order and not by time; null = does not wait. */
  readonly waiting: number | null;
  readonly failures: number;
  readonly retry_at: number | null;
  readonly reason: string | null;
  readonly last_seq: number;
  /** Rows with trigger = 1 that are pending or leased, delayed ones included, control rows not. */
  readonly open_rows: number;
  readonly full_told: number;
  readonly last_active_at: number;
}

export interface ConversationRecord {
  readonly id: string;
  readonly namespace: string;
  readonly channel: string;
  readonly address: string;
  readonly name: string | null;
  readonly is_group: number;
  readonly served_by_router: number;
  readonly last_seen_at: number;
}

export interface InRecord {
  /** Order of insertion; says nothing about the order in a lane. */
  readonly position: number;
  readonly id: string;
  readonly session: string;
  readonly dedupe_key: string;
  readonly seq: number | null;
  readonly kind: InboundKind;
  readonly trigger: number;
  readonly state: InboundState;
  readonly due: number;
  readonly retry_at: number | null;
  readonly attempt: number;
  /** Instance that holds the row, or that ended it. */
  readonly holder: string | null;
  readonly conversation: string;
  readonly thread: string | null;
  readonly sender: string | null;
  readonly sender_name: string | null;
  readonly body: string;
  readonly trace: string | null;
  readonly created_at: number;
  readonly ended_at: number | null;
  readonly code: ErrorCode | null;
  readonly reason: string | null;
}

/** A row of `messages_in` that has its place in the lane. */
export interface LaneRecord extends InRecord {
  readonly seq: number;
  readonly kind: Exclude<InboundKind, "control">;
}

export interface OutRecord {
  readonly position: number;
  readonly id: string;
  readonly session: string;
  readonly idempotency_key: string;
  readonly seq: number | null;
  readonly kind: string;
  readonly turn: number | null;
  readonly in_reply_to: string | null;
  readonly destination: string | null;
  readonly channel: string;
  readonly conversation: string;
  readonly thread: string | null;
  readonly state: OutboundState;
  readonly retry_at: number | null;
  readonly attempt: number;
  readonly uncertain: number;
  readonly holder: string | null;
  readonly platform_message_id: string | null;
  readonly body: string;
  readonly created_at: number;
  /** When retries end. Moves with a jump of the clock, which `created_at` does not. */
  readonly expires_at: number;
  readonly ended_at: number | null;
  readonly code: ErrorCode | null;
  readonly reason: string | null;
}
