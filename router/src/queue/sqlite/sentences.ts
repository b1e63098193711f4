import { maxInboundAttempts } from "@copepod/core/limits";

/** Every sentence that the queue itself says to people and agents. */
export const sentences = {
  laneFull: (limit: number) =>
    `I can't take this message: ${limit} messages are waiting for an answer already. Please send it again later.`,
  contextFull: (limit: number) =>
    `More than ${limit} messages were waiting as context, so this one, the oldest, was left out.`,
  attemptsExhausted: (lastError: string | null) =>
    `I gave up on your message after ${maxInboundAttempts} attempts.${lastError ? ` The last error: ${lastError}` : ""}`,
  attemptsExhaustedReason: (lastError: string | null) =>
    lastError ?? "The runner ended each time before it could answer.",
  providerFailed: (message: string) => `I can't answer your message: ${message}`,
  providerAuth: (message: string) => `I can't answer: the model provider refused the credentials. ${message}`,
  startFailed: (reason: string) => `The agent could not be started, so your message waits. ${reason}`,
  hindered: (reason: string) => `The agent can't start yet, so your message waits. ${reason}`,
  paused: "This agent is paused. Your message waits, and is answered when somebody resumes it.",
  pausedReason: "Paused by a person.",
  placeInLine: (running: number, place: number) =>
    `All ${running} sessions that this agent may run are busy. Your message waits; you are number ${place} in line.`,
  waiting: "Waits until a running session of its agent group sleeps.",
  cancelled: "A person stopped the turn.",
  destinationUnknown: (to: string) =>
    `There is no destination named "${to}" in your address book, so this was not sent.`,
  notDelivered: (to: string, reason: string) => `Your message to "${to}" was not delivered: ${reason}`,
  deliveryUnknown: (to: string, reason: string) =>
    `Nobody knows whether your message to "${to}" was delivered: ${reason}`,
  expired: (lastError: string) => `It could not be delivered within an hour. The last error: ${lastError}`,
  tooManyPosts: (limit: number) => `This turn has sent ${limit} messages already; the rest belongs into its answer.`,
  tooManyConversations: (most: number) => `You have ${most} conversations already. Go on in one of them.`,
  notUploaded: (name: string) => `The file "${name}" was not uploaded before, or not in this size.`,
  noFilesThere: (to: string) => `The channel behind "${to}" can't show files yet. Send text instead.`,
  neverDelivered: "No adapter host has taken it within an hour.",
  turnOver: (turn: number) => `Turn ${turn} is not running any more.`,
  notHeld: (seqs: readonly number[]) => `The rows ${seqs.join(", ")} are not held by this runner.`,
  superseded: (session: string) => `Another runner, pod or epoch holds the session ${session} now.`,
  podUnknown: (session: string) => `The pod of the session ${session} is not known yet. Try again in a moment.`,
  hostSuperseded: (channel: string) => `Another adapter host serves the channel ${channel} now.`,
  sessionUnknown: (session: string) => `There is no session ${session}.`,
  rowUnknown: (id: string) => `There is no message with the id ${id}.`,
  notDead: (id: string, state: string) =>
    `The message ${id} is ${state}; only dead and unknown ones can be tried again.`,
  neverAccepted: (id: string) => `The message ${id} was refused before it reached an agent. Send it again instead.`,
  noConversation: (id: string) => `The message ${id} has no conversation to go to.`,
};
