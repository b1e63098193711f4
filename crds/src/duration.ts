import { z } from "zod";
import { withRule } from "./rule.ts";

/** RE2-safe; no look-around. One notation: hours, minutes, seconds, each at most once, in this order. */
const durationPattern = /^([0-9]{1,5}h([0-9]{1,5}m)?([0-9]{1,5}s)?|[0-9]{1,5}m([0-9]{1,5}s)?|[0-9]{1,5}s)$/;

const unitMs = { h: 3_600_000, m: 60_000, s: 1_000 } as const;

/** A time span as text: `90s`, `10m`, `1h30m`; at least one second. */
export const durationSchema = withRule(
  z.string().max(20).regex(durationPattern, 'must be a duration such as "90s", "10m" or "1h30m"'),
  {
    cel: "duration(self) >= duration('1s')",
    message: "must be at least 1s",
    holds: (text) => durationMs(text) >= unitMs.s,
  },
);

/** Milliseconds of a text that `durationSchema` accepts; other text counts as 0. */
export function durationMs(text: string): number {
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/([0-9]+)([hms])/g)) {
    if (unit === "h" || unit === "m" || unit === "s") total += Number(amount) * unitMs[unit];
  }
  return total;
}
