import { escapeText } from "../../../runner/markup.ts";
import { type PromptMessage, parsePrompt } from "../../demo/prompt.ts";
import {
  type Conversation,
  fullName,
  type Item,
  type OfferedTool,
  type ToolCall,
  type ToolInput,
} from "./conversation.ts";

/** What the fake model does with a request. */
export type Decision =
  | { readonly kind: "call"; readonly call: ToolCall }
  | { readonly kind: "answer"; readonly text: string; readonly slowSeconds: number; readonly inputTokens?: number }
  | { readonly kind: "fail"; readonly status: number };

type ValueKind = "slow" | "fail" | "usage";

type Step =
  | { readonly kind: "shell" | "sleep" | "send" | "sendfile"; readonly argument: string }
  | { readonly kind: ValueKind; readonly value: number }
  | { readonly kind: "history" | "tools" | "system" | "talk" };

interface Work {
  readonly message: PromptMessage;
  readonly step: Step;
}

const systemTailCharacters = 200;
/** How long the shell of Codex waits for a command before it hands it to the background. */
const commandWaitMs = 30_000;
const commandTools = ["Bash", "bash", "exec_command"];
/** How the harnesses ask for a summary when the context becomes too long. */
const compaction =
  /Your task is to create a detailed summary|CONTEXT CHECKPOINT COMPACTION|prompt for continuing our conversation|anchored summary/i;
/** A turn's first prompt begins like this; a follow-up doesn't. What stands before it was given up. */
const promptStart = /<context timezone="[^"]*" \/>/;
const reminder = /<system-reminder>[\s\S]*?<\/system-reminder>/g;
const summaryLine = /^- said earlier: (.*)$/gm;

/** Follows the script of the messages that no final answer has answered yet. Pure: all it knows is in the request. */
export function decide(conversation: Conversation): Decision {
  const { items } = conversation;
  const start = pendingFrom(items);
  const pending = items.slice(start).flatMap(personMessages);
  if (asksForSummary(items)) return answer(summary(items, start, pending));
  const work = pending.map((message) => ({ message, step: parseStep(message.text) }));
  const [status] = valuesOf(work, "fail");
  if (status !== undefined) return { kind: "fail", status };
  return follow(work, { conversation, start });
}

interface Scene {
  readonly conversation: Conversation;
  /** Index of the first item that is not answered. */
  readonly start: number;
}

/** The first call that is not done yet; else the answer to everything. */
function follow(work: readonly Work[], scene: Scene): Decision {
  const done = callsSince(scene);
  const blocks: string[] = [];
  for (const { message, step } of work) {
    const call = callFor(step, message, scene.conversation.tools);
    const output = call && takeOutput(done, call);
    if (call && output === undefined) return { kind: "call", call };
    blocks.push(
      `<message to="${escapeText(message.from)}">${harmless(output ?? words(step, message, scene))}</message>`,
    );
  }
  const text = blocks.length > 0 ? blocks.join("\n") : "<internal>There is nothing to answer.</internal>";
  const [inputTokens] = valuesOf(work, "usage");
  const slowSeconds = valuesOf(work, "slow").reduce((sum, seconds) => sum + seconds, 0);
  return { ...answer(text), slowSeconds, ...(inputTokens !== undefined && { inputTokens }) };
}

const valuesOf = (work: readonly Work[], kind: ValueKind): number[] =>
  work.flatMap(({ step }) => (step.kind === kind ? [step.value] : []));

const answer = (text: string) => ({ kind: "answer", text, slowSeconds: 0 }) as const;

/** Tags of the output grammar get another bracket, so that a quoted text stays within its block. */
const harmless = (text: string): string => text.replaceAll(/<(?=\/?(?:message|internal)\b)/gi, "‹");

function parseStep(text: string): Step {
  const [, word = "", rest = ""] = /^\s*(\w+):?\s*([\s\S]*?)\s*$/.exec(text) ?? [];
  switch (word) {
    case "shell":
    case "sleep":
    case "send":
    case "sendfile":
      return rest === "" ? { kind: "talk" } : { kind: word, argument: rest };
    case "slow":
    case "fail":
    case "usage":
      return Number.isFinite(Number.parseFloat(rest))
        ? { kind: word, value: Number.parseFloat(rest) }
        : { kind: "talk" };
    case "history":
    case "tools":
    case "system":
      return rest === "" ? { kind: word } : { kind: "talk" };
    default:
      return { kind: "talk" };
  }
}

/** The tool call of a step; undefined when it needs none, or when the tool is not offered. */
function callFor(step: Step, message: PromptMessage, tools: readonly OfferedTool[]): ToolCall | undefined {
  switch (step.kind) {
    case "shell":
    case "sleep":
      return commandCall(tools, step.kind === "sleep" ? `sleep ${step.argument}` : step.argument);
    case "send":
      return copepodCall(tools, "send_message", { to: message.from, text: step.argument });
    case "sendfile":
      return copepodCall(tools, "send_file", { to: message.from, path: step.argument });
    case "slow":
    case "fail":
    case "usage":
    case "history":
    case "tools":
    case "system":
    case "talk":
      return undefined;
  }
}

function commandCall(tools: readonly OfferedTool[], command: string): ToolCall | undefined {
  const tool = tools.find(({ name }) => commandTools.includes(name));
  if (!tool) return undefined;
  if (tool.name === "exec_command") return { tool, input: { cmd: command, yield_time_ms: commandWaitMs } };
  return { tool, input: { command, description: "Runs what was asked for" } };
}

function copepodCall(
  tools: readonly OfferedTool[],
  name: string,
  input: Readonly<Record<string, string>>,
): ToolCall | undefined {
  const tool = tools.find((offered) => new RegExp(`copepod_+${name}$`).test(fullName(offered)));
  return tool && { tool, input };
}

/** What is said of a step that calls no tool. */
function words(step: Step, message: PromptMessage, { conversation, start }: Scene): string {
  switch (step.kind) {
    case "shell":
    case "sleep":
    case "send":
    case "sendfile":
      return `No tool for “${step.kind}” is offered; there are: ${toolNames(conversation)}`;
    case "history":
      return ["Earlier messages:", ...earlier(conversation.items, start).map((text) => `- ${text}`)].join("\n");
    case "tools":
      return toolNames(conversation);
    case "system":
      return conversation.system.slice(-systemTailCharacters);
    case "slow":
    case "fail":
    case "usage":
    case "talk":
      return `You said: ${message.text}`;
  }
}

const toolNames = ({ tools }: Conversation): string => tools.map(fullName).join(", ") || "none";

/** Where the unanswered part begins: after the last final answer, and not before the last prompt of a turn. */
function pendingFrom(items: readonly Item[]): number {
  const final = items.findLastIndex((item, index) => isFinal(item, items[index + 1]));
  const prompt = items.findLastIndex(
    (item) => item.kind === "text" && item.role === "user" && promptStart.test(item.text),
  );
  return Math.max(final + 1, prompt, 0);
}

/** A text of the model that no call follows. */
const isFinal = (item: Item, next: Item | undefined): boolean =>
  item.kind === "text" && item.role === "assistant" && next?.kind !== "call";

/** Persons are quoted in prompts, and in the reminders that Claude puts into the output of a tool. */
function personMessages(item: Item): PromptMessage[] {
  switch (item.kind) {
    case "call":
      return [];
    case "output":
      return parsePrompt((item.text.match(reminder) ?? []).join("\n"));
    case "text": {
      if (item.role === "assistant") return [];
      const prompt = item.text.split(promptStart).at(-1) ?? "";
      return parsePrompt(prompt);
    }
  }
}

/** What persons said before the unanswered part, also what only a summary still tells. */
function earlier(items: readonly Item[], start: number): string[] {
  const summarised = items.flatMap((item) =>
    item.kind === "text" && item.role === "user"
      ? [...item.text.matchAll(summaryLine)].map(([, text = ""]) => text)
      : [],
  );
  return [
    ...summarised,
    ...items
      .slice(0, start)
      .flatMap(personMessages)
      .map(({ text }) => text),
  ];
}

interface DoneCall {
  readonly key: string;
  readonly output: string;
}

/** What a step asks for; a harness may add the rest. */
const keyOf = (name: string, { cmd, command, to, path, text }: ToolInput): string =>
  JSON.stringify([name, cmd, command, to, path, text]);

function callsSince({ conversation, start }: Scene): DoneCall[] {
  const items = conversation.items.slice(start);
  const outputs = new Map(items.flatMap((item) => (item.kind === "output" ? [[item.id, item.text]] : [])));
  return items.flatMap((item) => {
    const output = item.kind === "call" ? outputs.get(item.id) : undefined;
    if (item.kind !== "call" || output === undefined) return [];
    return [{ key: keyOf(item.tool, item.input), output: output.replaceAll(reminder, "").trim() }];
  });
}

/** Each call answers one step, so that the same command can be asked for twice. */
function takeOutput(done: DoneCall[], call: ToolCall): string | undefined {
  const at = done.findIndex(({ key }) => key === keyOf(fullName(call.tool), call.input));
  return done.splice(at === -1 ? done.length : at, 1)[0]?.output;
}

const asksForSummary = (items: readonly Item[]): boolean => {
  const last = items.findLast((item) => item.kind === "text" && item.role === "user");
  return last?.kind === "text" && compaction.test(last.text);
};

/** Like a good summary: what was said, and word for word what is still to be answered. */
function summary(items: readonly Item[], start: number, pending: readonly PromptMessage[]): string {
  const lines = earlier(items, start).map((text) => `- said earlier: ${text.replaceAll(/\s+/g, " ")}`);
  const open = pending.map(({ from, text }) => `<message from="${escapeText(from)}">${escapeText(text)}</message>`);
  return `<summary>\n${[...lines, ...open].join("\n")}\n</summary>`;
}
