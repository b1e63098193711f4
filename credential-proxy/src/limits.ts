/** Every bound of the proxy that no other program has to know. Sizes in bytes, times in ms. */
export const proxyLimits = {
  /** Head of a request, of an answer likewise. */
  maxHeadBytes: 16 * 1024,
  maxHeaders: 128,
  maxConnections: 1_024,
  /** A head has to be there this long after its first byte. */
  headMs: 10_000,
  /** A request has to be there as a whole. */
  requestMs: 300_000,
  /** How often the two above are looked at. */
  lookMs: 2_000,
  /** Requests to model APIs at the same time. The mailbox has a bound of its own, so that it always gets through. */
  maxModelRequests: 256,
  maxModelBodyBytes: 64 * 1024 * 1024,
  /** A body up to this length is waited for, so that it leaves in one piece; longer ones stream. */
  maxGatheredBytes: 64 * 1024,
  /** A body up to this length is kept until the answer begins, so that the request can be repeated. */
  maxReplayBytes: 1024 * 1024,
  /** All bodies that are kept together. */
  maxKeptBytes: 32 * 1024 * 1024,
  dnsMs: 5_000,
  /** TCP and TLS together. */
  connectMs: 10_000,
  answerHeadMs: 600_000,
  answerIdleMs: 300_000,
  /** Answers with 1xx before the real one. */
  maxInformational: 8,
};

export type ProxyLimits = typeof proxyLimits;
