import type { AgentMessage } from "@copepod/core/mailbox-api";
import type { MailboxMessage } from "@copepod/core/messages";
import type { FoundFile } from "./files-in.ts";
import { escapeText } from "./markup.ts";

type ChatMessage = Extract<MailboxMessage, { kind: "chat" | "agent" }>;
type TaskMessage = Extract<MailboxMessage, { kind: "task" }>;
type WebhookMessage = Extract<MailboxMessage, { kind: "webhook" }>;

/** How much of a message that was already sent is shown again: enough to recognise it. */
const alreadySentCharacters = 500;

/**
 * The text of a turn's first prompt: the zone, what an earlier try has already said, then the messages.
 * @param timeZone IANA name; a name that is not known shows UTC.
 */
export function formatPrompt(
  messages: readonly MailboxMessage[],
  timeZone: string,
  alreadySent: readonly AgentMessage[],
): string {
  const zone = knownZone(timeZone);
  return [`<context timezone="${attribute(zone)}" />`, formatFollowUp(messages, zone, alreadySent)].join("\n");
}

/** The text that is added to a running turn: like a prompt, without the line that names the zone. */
export function formatFollowUp(
  messages: readonly MailboxMessage[],
  timeZone: string,
  alreadySent: readonly AgentMessage[],
): string {
  const time = timeFormat(knownZone(timeZone));
  const chats = messages.filter((message) => message.kind === "chat" || message.kind === "agent");
  const parts = [
    ...(chats.length > 0 ? [formatChats(chats, time)] : []),
    ...messages.filter((message) => message.kind === "task").map((task) => formatTask(task, time)),
    ...messages.filter((message) => message.kind === "webhook").map(formatWebhook),
  ];
  const repeated = messages.some((message) => message.redelivered) || alreadySent.length > 0;
  return (repeated ? `${formatRepeated(alreadySent)}\n` : "") + parts.join("\n\n");
}

/** A line of Copepod itself to the agent. Nothing from outside can look like it, since all of that is escaped. */
export function formatSystem(text: string): string {
  return `<system>${escapeText(text)}</system>`;
}

/** Asks for the answer again, when the last one named nobody who could get it. */
export function formatNudge(destinations: readonly string[]): string {
  const names = destinations.map((name) => `"${name}"`).join(", ") || "none";
  return formatSystem(
    `Nothing of your answer was delivered: what stands outside <message to="name">…</message> is seen by nobody. ` +
      `Destinations: ${names}. Write the answer again inside such a block, or <internal>nothing to say</internal>.`,
  );
}

function formatChats(chats: readonly ChatMessage[], time: Intl.DateTimeFormat): string {
  const lines = chats.map((chat) => formatChat(chat, time));
  return lines.length === 1 ? lines.join("") : ["<messages>", ...lines, "</messages>"].join("\n");
}

function formatChat(message: ChatMessage, time: Intl.DateTimeFormat): string {
  const { text, quote, files = [] } = message.body;
  const sender = message.sender === undefined ? "" : ` sender="${attribute(message.sender)}"`;
  const parts = [
    ...(quote ? [`<quoted_message from="${attribute(quote.sender)}">${escapeText(quote.text)}</quoted_message>`] : []),
    ...files.map(formatFile),
  ];
  const before = parts.length === 0 ? "" : `\n${parts.map((part) => `  ${part}\n`).join("")}`;
  return (
    `<message id="${message.seq}" from="${attribute(message.from)}"${sender} time="${formatTime(message.time, time)}">` +
    `${before}${escapeText(text)}</message>`
  );
}

function formatFile({ name, bytes, path, problem }: FoundFile): string {
  const where = problem === undefined ? `path="${attribute(path ?? "")}"` : `problem="${attribute(problem)}"`;
  return `<file name="${attribute(name)}" ${where} bytes="${bytes}" />`;
}

function formatTask(message: TaskMessage, time: Intl.DateTimeFormat): string {
  const { prompt, scriptOutput } = message.body;
  const output = scriptOutput === undefined ? "" : `Script output:\n${formatJson(scriptOutput)}\n\n`;
  return (
    `<task from="${attribute(message.from)}" time="${formatTime(message.time, time)}">` +
    `${output}Instructions:\n${escapeText(prompt)}</task>`
  );
}

function formatWebhook(message: WebhookMessage): string {
  const { source, event, payload } = message.body;
  return (
    `<webhook from="${attribute(message.from)}" source="${attribute(source)}" event="${attribute(event)}">` +
    `${formatJson(payload)}</webhook>`
  );
}

function formatRepeated(alreadySent: readonly AgentMessage[]): string {
  const sent = alreadySent.map(({ to, text, files = [] }) => {
    const names = files.map(({ name }) => ` [file "${name}"]`).join("");
    return `\n- to "${to}": ${shorten(text)}${names}`;
  });
  return formatSystem(
    "This turn is repeated: an earlier try ended before its answer was saved. " +
      (sent.length > 0
        ? `It has already sent the following; do not send it again.${sent.join("")}`
        : "It has sent nothing."),
  );
}

const shorten = (text: string): string =>
  text.length <= alreadySentCharacters ? text : `${text.slice(0, alreadySentCharacters)}…`;

const formatJson = (value: unknown): string => escapeText(JSON.stringify(value, undefined, 2) ?? "null");

/** Line breaks would be harmless in an attribute, but not for whoever reads the prompt line by line. */
const attribute = (text: string): string => escapeText(text.replaceAll(/\s+/g, " "));

function knownZone(timeZone: string): string {
  try {
    timeFormat(timeZone);
    return timeZone;
  } catch {
    return "UTC";
  }
}

function timeFormat(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-US", {
    timeZone,
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "numeric",
    minute: "2-digit",
    hour12: true,
  });
}

/** Newer ICU data puts a narrow no-break space before AM and PM. */
const formatTime = (time: number, format: Intl.DateTimeFormat): string => format.format(time).replaceAll("\u202f", " ");
