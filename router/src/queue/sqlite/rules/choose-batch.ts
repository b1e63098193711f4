import { maxInboundAttempts } from "@copepod/core/limits";

/**
 * A row whose turns ended this often without a commit is taken alone from then on: if it is the one that ends the
 * runner, it does not use up the attempts of those around it.
 */
const attemptsInCompany = 2;

/** A pending row that has its place in the lane. */
export interface Candidate {
  readonly kind: string;
  readonly trigger: number;
  readonly attempt: number;
  readonly retry_at: number | null;
}

export interface Choice<C extends Candidate> {
  /** To be leased, in lane order. */
  readonly rows: readonly C[];
  /** Were leased as often as they may be: to be ended, so that the next row follows. */
  readonly exhausted: readonly C[];
  /** The lane's head waits until then, and everything waits behind it. */
  readonly blockedUntil: number | undefined;
}

/**
 * Which rows follow, first in, first out. A batch holds up to `limit` chat rows that trigger, with the context rows
 * around them; any other kind ends it, or, at its head, makes a batch of its own. Into a running turn only chat goes,
 * and only chat that did not fail before.
 */
export function chooseBatch<C extends Candidate>(
  lane: readonly C[],
  { running, limit, now }: { readonly running: boolean; readonly limit: number; readonly now: number },
): Choice<C> {
  const rows: C[] = [];
  const exhausted: C[] = [];
  let triggers = 0;
  for (const row of lane) {
    if (isBlocked(row, now)) return chosen(rows, exhausted, { triggers, blockedUntil: row.retry_at });
    if (row.attempt >= maxInboundAttempts) {
      exhausted.push(row);
      continue;
    }
    if (!fits(row, { running, triggers, limit })) break;
    rows.push(row);
    triggers += row.trigger;
    if (standsAlone(row)) break;
  }
  return chosen(rows, exhausted, { triggers, blockedUntil: null });
}

function chosen<C extends Candidate>(
  rows: readonly C[],
  exhausted: readonly C[],
  { triggers, blockedUntil }: { triggers: number; blockedUntil: number | null },
): Choice<C> {
  if (triggers > 0) return { rows, exhausted, blockedUntil: undefined };
  return { rows: [], exhausted, blockedUntil: blockedUntil ?? undefined };
}

function fits(row: Candidate, batch: { running: boolean; triggers: number; limit: number }): boolean {
  if (row.trigger === 0) return isChat(row) || !batch.running;
  if (batch.triggers >= batch.limit) return false;
  return !standsAlone(row) || (!batch.running && batch.triggers === 0);
}

const isBlocked = (row: Candidate, now: number): boolean => row.retry_at !== null && row.retry_at > now;

const standsAlone = (row: Candidate): boolean =>
  row.trigger === 1 && (!isChat(row) || row.attempt >= attemptsInCompany);

const isChat = (row: Candidate): boolean => row.kind === "chat";
