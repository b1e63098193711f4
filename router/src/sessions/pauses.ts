import type { Logger } from "pino";
import type { Announcer } from "../http/announcer.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import type { ResourceStore } from "../resources/resource-store.ts";
import type { StarterLink } from "./session-starter.ts";

interface PausesDeps {
  readonly store: Pick<QueueStore, "setPaused">;
  readonly resources: Pick<ResourceStore, "current">;
  readonly link: Pick<StarterLink, "suspended">;
  readonly announcer: Announcer;
  readonly log: Pick<Logger, "warn">;
}

/** @returns to be called after a change of what people decide: tells the queue which groups and sessions are suspended. */
export function createPauseTeller({ store, resources, link, announcer, log }: PausesDeps): () => void {
  let said: string | undefined;
  /** One after the other: the last state is the one that stays. */
  let tail: Promise<void> = Promise.resolve();
  const say = async () => {
    const groups = [...resources.current().agentGroups].flatMap(([key, { spec }]) => (spec.suspended ? [key] : []));
    const paused = { groups, sessions: link.suspended() };
    const text = JSON.stringify(paused);
    if (text === said) return;
    for (const session of await store.setPaused(paused)) announcer.sessionChanged(session);
    said = text;
  };
  return () => {
    tail = tail.then(say).catch((err: unknown) => log.warn({ err }, "could not say what is paused"));
  };
}
