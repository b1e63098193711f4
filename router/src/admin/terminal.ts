import { crc32 } from "node:zlib";
import { defaultNamespace, keyOf, splitKey } from "@copepod/core/addresses";
import type { adminApi, Line } from "@copepod/core/admin-api";
import type { Handlers } from "@copepod/core/endpoint";
import { CopepodError } from "@copepod/core/errors";
import type { Announcer } from "../http/announcer.ts";
import { bells, type Doorbell, longPoll } from "../http/doorbell.ts";
import type { CallContext } from "../http/listener.ts";
import type { Directory } from "../inbound/directory.ts";
import type { Accepted, Inbound } from "../inbound/inbound.ts";
import type { Clock, Conversation, QueueStore } from "../queue/queue-store.ts";
import type { ResourceStore } from "../resources/resource-store.ts";
import type { Activities } from "../sessions/activities.ts";

/** Lines that one answer of `events` carries. */
const maxLinesPerAnswer = 200;

export interface TerminalDeps {
  readonly store: QueueStore;
  readonly resources: Pick<ResourceStore, "current">;
  readonly directory: Directory;
  readonly inbound: Inbound;
  readonly activities: Activities;
  readonly announcer: Announcer;
  readonly doorbell: Doorbell;
  readonly clock: Clock;
}

type AdminHandlers = Handlers<typeof adminApi, CallContext<string>>;
type SayInput = Parameters<AdminHandlers["say"]>[0];

/** The terminal channel, which the router serves itself: delivered = committed, clients replay by `after=`. */
export function createTerminalHandlers(deps: TerminalDeps): Pick<AdminHandlers, "say" | "events" | "history" | "stop"> {
  const { store, activities, doorbell, clock } = deps;
  const conversationOf = async (name: string) => await introduce(deps, name);
  return {
    say: async (input) => await say(deps, input),
    events: async ({ conversation: name, after, activityVersion, waitMs }, { signal }) => {
      const { id } = await conversationOf(name);
      return await longPoll({
        doorbell,
        keys: [bells.conversation(id)],
        waitMs,
        signal: signal(),
        monotonic: clock.monotonic,
        look: async () => {
          const { activity, version } = activities.ofConversation(id);
          const { lines, position, open } = await store.linesAfter(id, after, maxLinesPerAnswer);
          const seen = crc32(JSON.stringify([version, open]));
          const value = { lines: [...lines], position, open: [...open], activity, activityVersion: seen };
          return { value, ready: lines.length > 0 || seen !== activityVersion };
        },
      });
    },
    history: async ({ conversation: name, limit }) => {
      const { lines, position } = await store.history((await conversationOf(name)).id, limit);
      return { lines: lines as Line[], position };
    },
    stop: async ({ conversation: name, sender }) => {
      const sessions = await store.stop((await conversationOf(name)).id, sender);
      for (const session of sessions) deps.announcer.sessionChanged(session);
      return { stopping: sessions.length > 0 };
    },
  };
}

function introduce({ directory, resources }: TerminalDeps, name: string): Promise<Conversation> {
  const { namespace, channel } = terminalOf(resources);
  return directory.introduce(
    { namespace, channel, address: name, name, isGroup: false, servedByRouter: true },
    undefined,
  );
}

/** The first Channel of type terminal. */
function terminalOf(resources: Pick<ResourceStore, "current">): { namespace: string; channel: string } {
  for (const [key, { spec }] of resources.current().channels) {
    const { namespace, name } = splitKey(key);
    if (spec.type === "terminal" && namespace === defaultNamespace) return { namespace, channel: name };
  }
  throw new CopepodError("notFound", "no Channel of type terminal exists; apply one to chat from a terminal");
}

async function say(deps: TerminalDeps, { conversation, group, sender, text, files, dedupeKey }: SayInput) {
  const { namespace, channel } = terminalOf(deps.resources);
  const { id } = await introduce(deps, conversation);
  const { position } = await deps.store.history(id, 1);
  if (files) await deps.store.useBlobs(files);
  const event = {
    dedupeKey,
    occurredAt: deps.clock.now(),
    conversation: { address: conversation, kind: "Direct" as const, name: conversation },
    sender: { id: sender, name: sender },
    text,
    files,
    mentionsAgent: true,
  };
  const accepted = await deps.inbound.accept({
    channel: keyOf(namespace, channel),
    events: [event],
    chosenGroup: group,
  });
  return { ...resultOf(accepted), position };
}

/** The person at the terminal gets a refusal as an error at once. @throws CopepodError with the refusal's code */
function resultOf({ events: [event] }: Accepted): { id: string; duplicate: boolean; session: string } {
  const refusal = event?.refused[0];
  if (refusal) throw new CopepodError(refusal.code, refusal.reason);
  const [outcome, row] = [event?.outcomes[0], event?.rows[0]];
  if (!outcome || !row) throw new CopepodError("notWired", "Nobody answers in this conversation: a wiring ignores it.");
  if (outcome.outcome === "laneFull") {
    throw new CopepodError("laneFull", "The agent has as many open messages as it may have. Wait for an answer.");
  }
  return { id: outcome.id, duplicate: outcome.outcome === "duplicate", session: splitKey(row.session.session).name };
}
