import { decodeTime, monotonicFactory } from "ulid";

/**
 * Makes ULIDs whose order is the order in which they were made, whatever the clock does: never below the greatest id that
 * the database holds.
 */
export function createIds(greatest: string | undefined): (now: number) => string {
  const next = monotonicFactory();
  const floor = greatest === undefined ? 0 : decodeTime(greatest) + 1;
  return (now) => next(Math.max(now, floor));
}
