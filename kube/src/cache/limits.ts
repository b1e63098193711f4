/** Every bound of the caches, in one place. Times in ms. */

/** The API server ends each watch after a time drawn from here, in seconds: not all at once, and not for ever. */
export const watchSeconds = { least: 300, most: 600 };
/** Without a byte for this long, a watch counts as hung. Bookmarks come about every minute, but nobody promises them. */
export const watchInactivityMs = 90_000;
/** A watch that ended sooner counts as a failure, whatever it brought: else a server that ends them all is asked without a pause. */
export const shortWatchMs = 1_000;
/** Between the tries of a list or a watch. */
export const retryBackoff = { firstMs: 800, maxMs: 30_000 };
/** A watch that was open this long makes up for the failures before it; where something came, one that was not short. */
export const steadyWatchMs = 60_000;
/** A refused connection costs nobody anything: asked again after this time, drawn from its upper half. */
export const refusedMs = 250;
/** An outage that answers (status 5xx) costs little to ask about: at least this often. */
export const answeredMaxMs = 5_000;
/** A server that has just refused connections is starting: for this long … */
export const startingMs = 15_000;
/** … it is asked at least this often. */
export const startingMaxMs = 1_000;
/** Without a sign of life for this long, what a cache holds counts as stale: two hung watches in a row. */
export const staleMs = 180_000;
/** Faults of a transform or a listener are warned of once in this time: one bug may meet every object. */
export const faultWarningMs = 60_000;
/** Levels of an object in which strings are looked for. The API server takes 10,000, for which no stack is deep enough. */
export const sharedStringDepth = 100;
/** Strings that are kept to be shared by the objects that come next. */
export const sharedStrings = 4_096;
/** Longest string, in UTF-16 units, that is looked for among them: longer ones are rarely equal. */
export const sharedStringLength = 128;
