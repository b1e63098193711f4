/** Every bound of the client, in one place. Times in ms, sizes in bytes. */

/** A whole call, its repetitions included. */
export const callTimeoutMs = 30_000;
/** For a watch that the server does not end in its time. */
export const watchGraceMs = 30_000;
/** TCP and TLS handshake. */
export const connectTimeoutMs = 5_000;
/** Without a byte for this long, the connection of a call counts as hung. */
export const silenceMs = 15_000;
/** Unused connections end earlier than the API server would end them (90 s), so that no request meets a closing one. */
export const idleSocketMs = 60_000;
/** Connections for calls; more calls wait for a free one. Watches have theirs beside it. */
export const maxCallSockets = 32;
/** Largest answer that is read. A page of 500 objects of 100 KiB fits. */
export const maxAnswerBytes = 64 * 1024 * 1024;
/** Longest line of a watch: one object. etcd takes no more than 1.5 MiB, and JSON may need twice of it. */
export const maxLineBytes = 8 * 1024 * 1024;
/** Largest body of an error that is read. */
export const maxStatusBytes = 256 * 1024;
/** Longest sentence of the API server that is passed on, in UTF-16 units. */
export const maxMessageLength = 2_000;
/** Objects per page. */
export const pageSize = 500;
/** Longest pause that an API server can ask for with `Retry-After`. */
export const maxRetryAfterMs = 5 * 60_000;
/** Between the tries of a call. */
export const callBackoff = { firstMs: 100, maxMs: 5_000 };
/** Calls per second on average, and at once after a rest. */
export const defaultRate = { perSecond: 50, burst: 100 };
/** Tokens and certificates that lie in files are read again after this time. */
export const identityAgeMs = 10_000;
/** Reading an identity, a plug-in's work included. Shorter than a call, whose error then says what hung. */
export const identityTimeoutMs = 25_000;
