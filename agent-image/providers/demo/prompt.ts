import { unescapeText } from "../../runner/markup.ts";

/** A message as it stands in a prompt. */
export interface PromptMessage {
  /** Where an answer goes. */
  readonly from: string;
  readonly text: string;
  readonly files: readonly PromptFile[];
}

export interface PromptFile {
  readonly name: string;
  /** Where it lies; undefined = it could not be fetched. */
  readonly path: string | undefined;
}

const element = /<(message|task|webhook)(\s[^<>]*)>([\s\S]*?)<\/\1>/g;
/** What stands before the text of a message, each on a line of its own. */
const before = /^\n(?: {2}<(?:quoted_message[^<>]*>[^<]*<\/quoted_message|file\s[^<>]*\/)>\n)+/;
const file = /<file(\s[^<>]*)\/>/g;
const instructions = /^(?:Script output:\n[\s\S]*?\n\n)?Instructions:\n/;

/** The messages of a prompt or follow-up, in their order. Escaped text holds no tag, so a pattern is enough. */
export function parsePrompt(prompt: string): PromptMessage[] {
  return [...prompt.matchAll(element)].map(([, kind, attributes, content]) => {
    const head = before.exec(content ?? "")?.[0] ?? "";
    const body = kind === "task" ? (content ?? "").replace(instructions, "") : (content ?? "").slice(head.length);
    const files = [...head.matchAll(file)].map(([, of = ""]) => ({
      name: attributeOf(of, "name") ?? "",
      path: attributeOf(of, "path"),
    }));
    return { from: attributeOf(attributes ?? "", "from") ?? "", text: unescapeText(body), files };
  });
}

function attributeOf(attributes: string, name: string): string | undefined {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(attributes)?.[1];
  return value === undefined ? undefined : unescapeText(value);
}
