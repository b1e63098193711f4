/** Every bound that more than one program has to know, in one place. Sizes in bytes or characters, times in ms. */

/** Longest text of one message, in UTF-16 units. The adapters split what their platform takes in smaller parts. */
export const maxTextLength = 65_536;
/** Longest name, address or id that comes from outside. */
export const maxNameLength = 512;
/** Largest HTTP body that any listener reads. */
export const maxBodyBytes = 4 * 1024 * 1024;
/** Events in one `accept`. */
export const maxEventsPerAccept = 256;
/** Rows in one `take`, and deliveries in one `lease`. */
export const maxRowsPerTake = 100;
/** Messages that one final answer may consist of. */
export const maxMessagesPerFinish = 50;
/** Longest long poll that a server grants; clients ask for no more. */
export const longPollMs = 30_000;
/** A holder that is not heard of for this long is ended. */
export const leaseMs = 60_000;
/** A runner speaks at least this often. */
export const heartbeatMs = 10_000;
/** A turn without any provider event for this long is interrupted; a tool may declare a longer time-out. */
export const providerSilenceMs = 10 * 60_000;
/** Open rows (pending or leased, trigger = 1) that one session may have. */
export const maxOpenRowsPerSession = 1_000;
/** Context rows (trigger = 0) that wait in one session; the oldest falls out. */
export const maxContextRowsPerSession = 100;
/** Messages that one turn may send before its end. */
export const maxPostsPerTurn = 100;
/** Largest file of a message, in bytes. */
export const maxFileBytes = 100 * 1024 * 1024;
/** Files of one message. */
export const maxFilesPerMessage = 20;
/** Files that one session has uploaded and no message has yet, and their bytes together. */
export const maxUnsentFiles = 100;
export const maxUnsentBytes = 500 * 1024 * 1024;
/** Requests to model APIs in one report of a proxy. */
export const maxUsageEntries = 100;
/** Longest sentence of a failure or of a channel's health, in UTF-16 units. */
export const maxReasonLength = 2_000;
/** Longest wait that a provider or a platform may ask for. */
export const maxRetryAfterMs = 60 * 60_000;
/** Attempts of a message in before it becomes a dead letter. */
export const maxInboundAttempts = 5;
/** A message out is tried for this long before it becomes a dead letter. */
export const maxOutboundAgeMs = 60 * 60_000;
