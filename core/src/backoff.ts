interface Backoff {
  readonly firstMs: number;
  readonly maxMs: number;
}

export const inboundBackoff: Backoff = { firstMs: 1_000, maxMs: 60_000 };
export const outboundBackoff: Backoff = { firstMs: 500, maxMs: 60_000 };
export const startBackoff: Backoff = { firstMs: 250, maxMs: 30_000 };
/** Short at first: a runner starts together with the proxy that it calls, and a person waits for both. */
export const reconnectBackoff: Backoff = { firstMs: 10, maxMs: 5_000 };

/**
 * Exponential back-off with jitter: half of the delay is fixed, half is drawn.
 * @param attempt 1 for the first failure. @param random in [0, 1).
 */
export function backoffMs({ firstMs, maxMs }: Backoff, attempt: number, random: number): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(attempt - 1, 30));
  return Math.round(full / 2 + (full / 2) * random);
}
