import { unescapeText } from "../runner/markup.ts";

/** A message as it stands in a prompt. */
export interface PromptMessage {
  /** Where an answer goes. */
  readonly from: string;
  readonly text: string;
}

const element = /<(message|task|webhook)(\s[^<>]*)>([\s\S]*?)<\/\1>/g;
const fromAttribute = /\sfrom="([^"]*)"/;
const quotedMessage = /^\s*<quoted_message[^<>]*>[^<]*<\/quoted_message>\n/;
const instructions = /^(?:Script output:\n[\s\S]*?\n\n)?Instructions:\n/;

/** The messages of a prompt or follow-up, in their order. Escaped text holds no tag, so a pattern is enough. */
export function parsePrompt(prompt: string): PromptMessage[] {
  return [...prompt.matchAll(element)].map(([, kind, attributes, content]) => {
    const body = (content ?? "").replace(kind === "task" ? instructions : quotedMessage, "");
    return { from: unescapeText(fromAttribute.exec(attributes ?? "")?.[1] ?? ""), text: unescapeText(body) };
  });
}
