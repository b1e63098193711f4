import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** A wait for what starts at the same time is looked at so often; a long one ever less. */
const leastMs = 5;
const mostMs = 500;
/** Of the time that was waited already, so much more is lost at most by not looking. */
const share = 0.05;

/** Resolves when somebody listens on the Unix socket, or when the signal aborts. @param onWait called if nobody does yet */
export async function untilListening(path: string, signal: AbortSignal, onWait: () => void): Promise<void> {
  const started = performance.now();
  for (let looks = 0; !signal.aborted && !(await canConnect(path)); looks++) {
    if (looks === 0) onWait();
    const waitedMs = performance.now() - started;
    const pauseMs = Math.min(mostMs, Math.max(leastMs, waitedMs * share));
    await delay(pauseMs, undefined, { signal }).catch(() => undefined);
  }
}

async function canConnect(path: string): Promise<boolean> {
  const found = Promise.withResolvers<boolean>();
  const socket = connect({ path }, () => found.resolve(true));
  socket.once("error", () => found.resolve(false));
  const answer = await found.promise;
  socket.destroy();
  return answer;
}
