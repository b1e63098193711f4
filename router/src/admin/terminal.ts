import { crc32 } from "node:zlib";
import { keyOf, splitKey } from "@copepod/core/addresses";
import type { adminApi, Line } from "@copepod/core/admin-api";
import type { Handlers } from "@copepod/core/endpoint";
import { CopepodError } from "@copepod/core/errors";
import type { Announcer } from "../http/announcer.ts";
import { bells, type Doorbell, longPoll } from "../http/doorbell.ts";
import type { CallContext } from "../http/listener.ts";
import { terminalOf } from "../inbound/access.ts";
import type { Directory } from "../inbound/directory.ts";
import type { Accepted, Inbound } from "../inbound/inbound.ts";
import type { Clock, Conversation, QueueStore } from "../queue/queue-store.ts";
import type { ResourceStore } from "../resources/resource-store.ts";
import type { Activities } from "../sessions/activities.ts";
import { addressOf, displayNameOf, ownerOf, requireFiles, speakerOf } from "./own.ts";
import type { Person } from "./person.ts";
import type { Rights } from "./rights.ts";

/** Lines that one answer of `events` carries. */
const maxLinesPerAnswer = 200;

export interface TerminalDeps {
  readonly store: QueueStore;
  readonly resources: Pick<ResourceStore, "current">;
  readonly rights: Pick<Rights, "requireFollowed">;
  readonly directory: Directory;
  readonly inbound: Inbound;
  readonly activities: Activities;
  readonly announcer: Announcer;
  readonly doorbell: Doorbell;
  readonly clock: Clock;
}

type AdminHandlers = Handlers<typeof adminApi, CallContext<Person>>;
type SayInput = Parameters<AdminHandlers["say"]>[0];

/** The terminal channel, which the router serves itself: delivered = committed, clients replay by `after=`. */
export function createTerminalHandlers(deps: TerminalDeps): Pick<AdminHandlers, "say" | "events" | "history" | "stop"> {
  const { store, activities, doorbell, clock } = deps;
  return {
    say: async (input, { caller }) => await say(deps, caller, input),
    events: async ({ after, activityVersion, waitMs, ...place }, { caller, signal }) => {
      const { id } = await introduce(deps, caller, place);
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
    history: async ({ limit, ...place }, { caller }) => {
      const { lines, position } = await store.history((await introduce(deps, caller, place)).id, limit);
      return { lines: lines as Line[], position };
    },
    stop: async ({ sender, ...place }, { caller }) => {
      const sessions = await store.stop((await introduce(deps, caller, place)).id, speakerOf(caller, sender));
      for (const session of sessions) deps.announcer.sessionChanged(session);
      return { stopping: sessions.length > 0 };
    },
  };
}

interface Place {
  readonly namespace: string;
  /** As the person calls it. */
  readonly conversation: string;
}

function introduce(deps: TerminalDeps, person: Person, { namespace, conversation }: Place): Promise<Conversation> {
  const channel = channelOf(deps, namespace);
  const [address, name] = [addressOf(person, conversation), displayNameOf(person, conversation)];
  const owner = ownerOf(person);
  return deps.directory.introduce(
    { namespace, channel, address, name, isGroup: false, servedByRouter: true, ...(owner && { owner }) },
    undefined,
  );
}

function channelOf({ resources, rights }: TerminalDeps, namespace: string): string {
  rights.requireFollowed(namespace);
  const channel = terminalOf(resources.current(), namespace);
  if (channel !== undefined) return channel;
  const missing = `no Channel of type terminal exists in the namespace “${namespace}”`;
  throw new CopepodError("notFound", `${missing}; apply one to chat from a terminal`);
}

async function say(deps: TerminalDeps, person: Person, input: SayInput) {
  const { namespace, conversation, group, text, files, dedupeKey } = input;
  const channel = channelOf(deps, namespace);
  const { id, address, name } = await introduce(deps, person, input);
  const { position } = await deps.store.history(id, 1);
  if (files) {
    await requireFiles(deps.store, person, files);
    await deps.store.useBlobs(files);
  }
  const sender = speakerOf(person, input.sender);
  const event = {
    dedupeKey,
    occurredAt: deps.clock.now(),
    conversation: { address, kind: "Direct" as const, name: name ?? conversation },
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
  const refusal = event?.refusal;
  if (refusal) throw new CopepodError(refusal.code, refusal.reason);
  const [outcome, row] = [event?.outcomes[0], event?.rows[0]];
  if (!outcome || !row) throw new CopepodError("notWired", "Nobody answers in this conversation: a wiring ignores it.");
  if (outcome.outcome === "laneFull") {
    throw new CopepodError("laneFull", "The agent has as many open messages as it may have. Wait for an answer.");
  }
  return { id: outcome.id, duplicate: outcome.outcome === "duplicate", session: splitKey(row.session.session).name };
}
