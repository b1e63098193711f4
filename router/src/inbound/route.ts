import { identityOf, keyOf } from "@copepod/core/addresses";
import type { InboundEvent } from "@copepod/core/channel-api";
import type { ErrorCode } from "@copepod/core/errors";
import type { Channel } from "@copepod/crds/channel";
import { compilePattern } from "@copepod/crds/pattern";
import type { Wiring } from "@copepod/crds/wiring";
import type { Resources } from "../resources/resource-store.ts";
import { isKnown } from "./access.ts";

/** What one wiring makes of an event. */
export type Decision =
  | {
      readonly kind: "deliver";
      /** Name of the agent group. */
      readonly group: string;
      readonly sessionMode: Wiring["spec"]["sessionMode"];
      /** false = context only. */
      readonly trigger: boolean;
    }
  | { readonly kind: "refuse"; readonly code: ErrorCode; readonly reason: string };

export interface RouteInput {
  readonly namespace: string;
  /** Name of the Channel. */
  readonly channelName: string;
  readonly channel: Channel;
  readonly event: InboundEvent;
  /** The person named the agent group; only channels that the router serves let them. */
  readonly chosenGroup: string | undefined;
  readonly resources: Resources;
}

type WiringSpec = Wiring["spec"];

/**
 * Which agent groups an event goes to, and how. Pure. An empty list = nobody is addressed: the event is dropped.
 * A refusal is only made for events that address the agent.
 */
export function route(input: RouteInput): Decision[] {
  const addressed = isAddressed(input.event);
  const wirings = input.chosenGroup === undefined ? wiringsOf(input) : [chosen(input, input.chosenGroup)];
  if (wirings.length === 0) {
    return addressed ? [refuse("notWired", "No agent answers in this conversation: no wiring names it.")] : [];
  }
  const decisions = wirings.flatMap((wiring) => decide(wiring, input));
  return decisions.filter((decision) => decision.kind === "deliver" || addressed);
}

/** In a direct conversation every message is for the agent. */
const isAddressed = (event: InboundEvent): boolean => event.conversation.kind === "Direct" || event.mentionsAgent;

const refuse = (code: ErrorCode, reason: string): Decision => ({ kind: "refuse", code, reason });

/** Matching wirings, the first per group: an id beats a kind, then priority, then name. Stops at an Ignore. */
function wiringsOf({ namespace, channelName, event, resources }: RouteInput): WiringSpec[] {
  const { address, kind } = event.conversation;
  const ofChannel = [...resources.wirings.values()].filter(
    ({ metadata, spec }) => metadata.namespace === namespace && spec.channel === channelName,
  );
  const byId = ofChannel.filter(({ spec }) => spec.conversation.id === address);
  const byKind = ofChannel.filter(({ spec }) => spec.conversation.kind === kind);
  const matching = (byId.length > 0 ? byId : byKind).sort(
    (a, b) => b.spec.priority - a.spec.priority || a.metadata.name.localeCompare(b.metadata.name),
  );
  const ignoreAt = matching.findIndex(({ spec }) => spec.action === "Ignore");
  const answering = (ignoreAt === -1 ? matching : matching.slice(0, ignoreAt)).map(({ spec }) => spec);
  if (answering.length === 0 && ignoreAt !== -1) return [ignoring];
  return answering.filter((spec, index) => answering.findIndex(({ group }) => group === spec.group) === index);
}

/** Stands for "somebody decided that nobody answers", which is neither a refusal nor a missing wiring. */
const ignoring: WiringSpec = {
  channel: "",
  conversation: { kind: "Direct" },
  action: "Ignore",
  senders: "All",
  sessionMode: "Shared",
  priority: 0,
};

/**
 * Who may choose a group is said by the wiring that leads to it from here; a group to which none does takes a role in it.
 * So a choice is no way round a wiring.
 */
function chosen(input: RouteInput, group: string): WiringSpec {
  const wiring = wiringsOf(input).find((spec) => spec.group === group);
  return {
    ...ignoring,
    channel: input.channelName,
    group,
    action: "Answer",
    engage: { mode: "Pattern", pattern: "." },
    senders: wiring?.senders ?? "Known",
    unknownSenders: wiring?.unknownSenders,
  };
}

function decide(wiring: WiringSpec, input: RouteInput): Decision[] {
  const { namespace, resources, channel, event } = input;
  if (wiring.action === "Ignore" || wiring.group === undefined) return [];
  if (!resources.agentGroups.has(keyOf(namespace, wiring.group))) {
    return [refuse("groupMissing", `The agent group “${wiring.group}” does not exist.`)];
  }
  const engaged = engages(wiring, input);
  const unaddressed = wiring.unaddressed ?? channel.spec.defaults.unaddressed;
  if (!engaged && unaddressed === "Drop") return [];
  const identity = identityOf(input.channelName, event.sender.id);
  if (mustBeKnown(wiring, channel) && !isKnown(resources, { namespace, identity, group: wiring.group })) {
    return [refuse("senderUnknown", `You are not known to this agent. An admin can add you, as ${identity}.`)];
  }
  return [{ kind: "deliver", group: wiring.group, sessionMode: wiring.sessionMode, trigger: engaged }];
}

function mustBeKnown(wiring: WiringSpec, channel: Channel): boolean {
  return wiring.senders === "Known" || (wiring.unknownSenders ?? channel.spec.defaults.unknownSenders) === "Strict";
}

function engages(wiring: WiringSpec, { channel, event }: RouteInput): boolean {
  const { mode, pattern } = wiring.engage ?? channel.spec.defaults.engage;
  if (mode === "Mention") return isAddressed(event);
  if (pattern === ".") return true;
  // A pattern that does not compile never gets past the schema; if one does, nobody is addressed by it.
  return compilePattern(pattern)?.test(event.text.slice(0, maxPatternTextLength)) ?? false;
}

/** A pattern looks at the beginning of a message only: its cost must not grow with what a stranger sends. */
const maxPatternTextLength = 2_000;
