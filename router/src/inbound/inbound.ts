import { identityOf, keyOf, splitKey } from "@copepod/core/addresses";
import type { InboundEvent } from "@copepod/core/channel-api";
import { CopepodError, type ErrorCode } from "@copepod/core/errors";
import type { MessageFile } from "@copepod/core/files";
import type { Channel } from "@copepod/crds/channel";
import type { Announcer } from "../http/announcer.ts";
import type { RouterMetrics } from "../metrics.ts";
import type {
  AcceptEvent,
  AcceptOutcome,
  AcceptRow,
  Clock,
  Conversation,
  QueueStore,
  RefusedRow,
  Wake,
} from "../queue/queue-store.ts";
import type { ResourceStore } from "../resources/resource-store.ts";
import type { Activities } from "../sessions/activities.ts";
import type { GroupLimits } from "../sessions/group-limits.ts";
import { sessionNameOf } from "../sessions/session-name.ts";
import type { WishWriter } from "../sessions/wish-writer.ts";
import type { Directory } from "./directory.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import type { Reminders } from "./reminders.ts";
import { type Decision, route } from "./route.ts";

export interface InboundDeps {
  readonly store: QueueStore;
  readonly resources: Pick<ResourceStore, "current">;
  readonly directory: Directory;
  readonly limiter: RateLimiter;
  readonly reminders: Reminders;
  readonly limits: GroupLimits;
  readonly wishes: Pick<WishWriter, "poke">;
  readonly activities: Activities;
  readonly announcer: Announcer;
  readonly metrics: RouterMetrics;
  readonly clock: Clock;
}

interface Heard extends InboundEvent {
  /** Kept already, so that the blobs are there. */
  readonly files?: readonly MessageFile[] | undefined;
  /** Why the text can't be taken. */
  readonly unreadable?: string;
}

export interface AcceptInput {
  /** Row key of the Channel. */
  readonly channel: string;
  readonly events: readonly Heard[];
  readonly cursor?: string | undefined;
  readonly chosenGroup?: string | undefined;
}

export interface Accepted {
  readonly counts: { accepted: number; duplicates: number; refused: number };
  /** For each event, what became of it, in order. */
  readonly events: readonly {
    readonly conversation: Conversation;
    readonly charged: string | undefined;
    readonly rows: readonly AcceptRow[];
    readonly outcomes: readonly AcceptOutcome[];
    readonly refused: readonly RefusedRow[];
    /** Why it was not taken, also where no row says so. */
    readonly refusal: Refusal | undefined;
  }[];
}

interface Planned extends AcceptEvent {
  readonly conversation: Conversation;
  /** Whose rate was charged. */
  readonly charged: string | undefined;
  readonly refusal: Refusal | undefined;
}

type Refusal = Extract<Decision, { kind: "refuse" }>;

/** Types of channels that the router serves itself: a message out is delivered by its commit. */
const servedTypes: ReadonlySet<string> = new Set(["terminal"]);

export const isServedByRouter = (type: string): boolean => servedTypes.has(type);

/** What a platform said becomes rows: route, one commit, then wake and announce. Resolves after the commit. */
export class Inbound {
  readonly #deps: InboundDeps;

  constructor(deps: InboundDeps) {
    this.#deps = deps;
  }

  async accept(input: AcceptInput): Promise<Accepted> {
    const channel = this.#channelOf(input.channel);
    const planned = await Promise.all(input.events.map((event) => this.#plan(event, channel, input)));
    const cursor = input.cursor === undefined ? undefined : { channel: input.channel, value: input.cursor };
    const written = await this.#commit(planned, cursor);
    this.#deps.announcer.written(written);
    const events = planned.map((plan, index) => ({ ...plan, outcomes: written.outcomes[index] ?? [] }));
    const counts = { accepted: 0, duplicates: 0, refused: 0 };
    for (const event of events) this.#follow(event, counts);
    return { counts, events };
  }

  /** Whoever could not be heard sends again: what was counted for this try is given back. */
  async #commit(planned: readonly Planned[], cursor: { channel: string; value: string } | undefined) {
    try {
      // Only what is written crosses to the queue's thread: each object of an event is copied.
      const events = planned.map(({ rows, refused }) => ({ rows, refused }));
      return await this.#deps.store.acceptBatch(events, cursor);
    } catch (error) {
      for (const { charged, conversation, refused } of planned) {
        if (charged !== undefined) this.#deps.limiter.giveBack(charged);
        for (const { code } of refused) this.#deps.reminders.takeBack(reminderOf(code, conversation));
      }
      throw error;
    }
  }

  #channelOf(key: string): Channel {
    const channel = this.#deps.resources.current().channels.get(key);
    if (!channel) throw new CopepodError("notFound", `the channel “${splitKey(key).name}” does not exist`);
    return channel;
  }

  async #plan(event: Heard, channel: Channel, { channel: key, chosenGroup }: AcceptInput): Promise<Planned> {
    const { namespace, name: channelName } = splitKey(key);
    const conversation = await this.#deps.directory.introduce(
      {
        namespace,
        channel: channelName,
        address: event.conversation.address,
        name: event.conversation.name,
        isGroup: event.conversation.kind === "Group",
        servedByRouter: isServedByRouter(channel.spec.type),
      },
      event.sender,
    );
    const resources = this.#deps.resources.current();
    const routed = route({ namespace, channelName, channel, event, chosenGroup, resources });
    const decisions = event.unreadable === undefined ? routed : refuseAll(routed, event.unreadable);
    const rows = decisions.flatMap((decision) => this.#rowOf(decision, event, conversation));
    const sender = keyOf(key, event.sender.id);
    const charged = decisions.length > 0 && this.#deps.limiter.admit(sender, channel.spec.senderRatePerMinute);
    const mayPass = charged || decisions.length === 0 || (await this.#isRepeated(rows));
    const decided = mayPass ? decisions : [tooFast];
    const refused = decided.flatMap((decision) => this.#refusalOf(decision, event, conversation));
    const refusal = decided.find((decision) => decision.kind === "refuse");
    return { conversation, charged: charged ? sender : undefined, rows: mayPass ? rows : [], refused, refusal };
  }

  /** What was accepted before is a repeat of the platform, and no further message of the person. */
  async #isRepeated(rows: readonly AcceptRow[]): Promise<boolean> {
    for (const { session, dedupeKey } of rows) {
      if (await this.#deps.store.isKnown(session.session, dedupeKey)) return true;
    }
    return false;
  }

  #rowOf(decision: Decision, event: Heard, conversation: Conversation): AcceptRow[] {
    if (decision.kind !== "deliver") return [];
    const { namespace, channel } = conversation;
    const group = keyOf(namespace, decision.group);
    const key = sessionKeyOf(decision.sessionMode, conversation.id, event.thread);
    return [
      {
        session: {
          session: sessionNameOf(namespace, decision.group, key),
          group,
          keyKind: key.kind,
          conversation: key.conversation,
          thread: key.thread,
          maxRunning: this.#deps.limits.of(group).maxRunning,
        },
        kind: "chat",
        dedupeKey: `${conversation.id} ${event.dedupeKey}`,
        trigger: decision.trigger,
        due: this.#deps.clock.now(),
        replyTo: { conversation: conversation.id, thread: event.thread },
        destinationName: event.conversation.name ?? `${channel} ${event.conversation.address}`,
        sender: { identity: identityOf(channel, event.sender.id), name: event.sender.name ?? event.sender.id },
        body: {
          text: event.text,
          ...(event.quote ? { quote: event.quote } : {}),
          ...(event.files ? { files: event.files } : {}),
        },
        trace: undefined,
      },
    ];
  }

  #refusalOf(decision: Decision, event: InboundEvent, conversation: Conversation): RefusedRow[] {
    if (decision.kind !== "refuse") return [];
    const tell = this.#deps.reminders.due(reminderOf(decision.code, conversation));
    // A sender above the rate must not fill the disk with refusals either: one row stands for all of a quiet hour.
    if (decision.code === "rateLimited" && !tell) {
      this.#deps.metrics.refused(decision.code);
      return [];
    }
    return [
      {
        conversation: conversation.id,
        dedupeKey: `${event.dedupeKey} ${decision.code}`,
        code: decision.code,
        reason: decision.reason,
        sender: identityOf(conversation.channel, event.sender.id),
        // What a stranger wrote is not kept.
        body: {},
        tell: tell ? { thread: event.thread } : false,
      },
    ];
  }

  #follow(event: Accepted["events"][number], counts: Accepted["counts"]): void {
    for (const { code } of event.refused) this.#deps.metrics.refused(code);
    counts.refused += event.refused.length;
    const isNews = event.outcomes.length === 0 || event.outcomes.some(({ outcome }) => outcome !== "duplicate");
    if (!isNews && event.charged !== undefined) this.#deps.limiter.giveBack(event.charged);
    event.outcomes.forEach((outcome, index) => {
      const row = event.rows[index];
      if (!row) return;
      this.#deps.metrics.accepted(outcome.outcome);
      if (outcome.outcome === "duplicate") counts.duplicates += 1;
      else if (outcome.outcome === "laneFull") counts.refused += 1;
      else {
        counts.accepted += 1;
        this.#wake(row, outcome.wake, event.conversation);
      }
    });
  }

  #wake(row: AcceptRow, wake: Wake, conversation: Conversation): void {
    const { session } = row.session;
    const { wishes, activities, announcer, metrics } = this.#deps;
    if (wake.kind === "woken" || wake.kind === "waiting") metrics.wake(wake.kind);
    if (wake.kind === "woken") {
      wishes.poke(session);
      if (wake.evicted !== undefined) wishes.poke(wake.evicted);
    }
    if (wake.kind === "woken" || wake.kind === "awake") {
      activities.started(session, conversation, row.replyTo.thread);
    }
    announcer.sessionChanged(session);
  }
}

/** Instead of starting turns, an event is refused; where it would start none, it is dropped as before. */
function refuseAll(decisions: readonly Decision[], reason: string): Decision[] {
  if (!decisions.some((decision) => decision.kind === "deliver" && decision.trigger)) return [];
  return [{ kind: "refuse", code: "invalid", reason: `Your message could not be taken: ${reason}.` }];
}

const reminderOf = (code: ErrorCode, { id }: Conversation): string => `${code} ${id}`;

const tooFast: Decision = {
  kind: "refuse",
  code: "rateLimited" satisfies ErrorCode,
  reason: "You send more messages than one person may. Please wait a minute.",
};

function sessionKeyOf(mode: "Shared" | "PerThread" | "AgentShared", conversation: string, thread: string | undefined) {
  if (mode === "AgentShared") return { kind: "Group", conversation: undefined, thread: undefined } as const;
  if (mode === "PerThread" && thread !== undefined) return { kind: "Thread", conversation, thread } as const;
  return { kind: "Conversation", conversation, thread: undefined } as const;
}
