import { type Logger, pino } from "pino";

/** JSON lines on standard output: a fixed message, ids and codes; never the text of a message, never a token. */
export function createLog(level: string): Logger {
  return pino(
    { level, base: { program: "router" }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 1, sync: true }),
  );
}
