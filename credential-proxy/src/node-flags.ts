/**
 * How Node has to run the proxy: no inspector that a signal could open onto a process with keys, and small young
 * generations, which keep memory low and pauses short under load.
 */
export const nodeFlags = ["--disable-sigusr1", "--max-semi-space-size=2", "--max-old-space-size=128"];
