import { sql, type Transaction } from "./transaction.ts";

/** A change of wall time against monotonic time that is a jump, and not the slow correction of a clock. */
const clockJumpMs = 5_000;

interface Moment {
  readonly now: number;
  readonly monotonic: number;
}

const shiftRetriesIn = sql<[number]>("UPDATE messages_in SET retry_at = retry_at + ? WHERE retry_at IS NOT NULL");
const shiftRetriesOut = sql<[number, number]>(`
  UPDATE messages_out SET retry_at = retry_at + ?, expires_at = expires_at + ? WHERE ended_at IS NULL`);
const shiftSessions = sql<[number]>("UPDATE sessions SET retry_at = retry_at + ? WHERE retry_at IS NOT NULL");
const shiftIdle = sql<[number]>("UPDATE sessions SET last_active_at = last_active_at + ? WHERE wanted = 1");
const shiftBlobs = sql<[number]>("UPDATE blobs SET used_at = used_at + ?");

/**
 * When the wall clock jumps, back-offs, deadlines and idle times move with it: they are lengths of time, kept as points
 * in time only so that they survive a restart. Schedules stay: they mean the clock on the wall.
 */
export class ClockJumps {
  #offset: number;
  #next: number;

  constructor(at: Moment) {
    this.#offset = at.now - at.monotonic;
    this.#next = this.#offset;
  }

  follow(tx: Transaction, at: Moment | undefined): void {
    if (!at) return;
    const offset = at.now - at.monotonic;
    const jump = offset - this.#offset;
    this.#next = offset;
    if (Math.abs(jump) < clockJumpMs) return;
    const shift = Math.round(jump);
    tx.run(shiftRetriesIn, shift);
    tx.run(shiftRetriesOut, shift, shift);
    tx.run(shiftSessions, shift);
    tx.run(shiftIdle, shift);
    tx.run(shiftBlobs, shift);
  }

  /** The transaction that followed the jump was committed. */
  keep(): void {
    this.#offset = this.#next;
  }
}
