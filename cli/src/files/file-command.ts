/** What a person writes in a chat to send a file. */
export interface FileCommand {
  readonly path: string;
  /** A word to go with it. */
  readonly text: string | undefined;
}

export const fileCommandUsage = '/file <path> [text], with quotes around a path that has spaces: /file "my report.pdf"';

const command = /^\/file(?=\s|$)\s*/;
/** A path in quotes, or one in which a backslash stands before each space, as terminals write what is dropped on them. */
const argument = /^(?:"([^"]+)"|'([^']+)'|((?:\\.|[^\s"'\\])(?:\\.|[^\s\\])*))(?:\s+([\s\S]+))?$/;

/** @returns undefined when it is another message, "unreadable" when it is the command without a path. */
export function parseFileCommand(message: string): FileCommand | "unreadable" | undefined {
  const found = command.exec(message);
  if (!found) return undefined;
  const [, double, single, bare, text] = argument.exec(message.slice(found[0].length).trim()) ?? [];
  const path = double ?? single ?? bare?.replaceAll(/\\(.)/g, "$1");
  return path === undefined ? "unreadable" : { path, text };
}
