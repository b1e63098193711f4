import type { System } from "../../support/system.ts";

const waitMs = 30_000;

/** Times of `performance.now()`. */
export interface TimedTurn {
  readonly id: string;
  readonly session: string;
  readonly saidAt: number;
  /** The first line that answers is in the hands of the client. */
  readonly answeredAt: number;
}

/** Says something and waits for the answer as the chat does. @throws Error when the message is given up */
export async function timeTurn(system: System, conversation: string, text: string): Promise<TimedTurn> {
  let { position, activityVersion } = await system.admin.events({ conversation, after: 0, waitMs: 0 });
  const saidAt = performance.now();
  const dedupeKey = `${conversation} ${text} ${saidAt}`;
  const { id, session } = await system.admin.say({ conversation, text, sender: "ann", dedupeKey });
  for (;;) {
    const heard = await system.admin.events({ conversation, after: position, activityVersion, waitMs });
    ({ position, activityVersion } = heard);
    const failed = heard.lines.find(({ from }) => from === "system");
    if (failed) throw new Error(`${conversation}: ${failed.text}`);
    if (heard.lines.some((line) => line.inReplyTo === id))
      return { id, session, saidAt, answeredAt: performance.now() };
  }
}
