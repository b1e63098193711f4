import type { SessionContext } from "@copepod/core/mailbox-api";

interface Parts {
  /** Name of the agent group. */
  readonly group: string;
  /** The group's own text. */
  readonly text: string;
  readonly destinations: SessionContext["destinations"];
}

/** The instructions of a session: how to answer, whom it may address, and what the group's owner wrote. Pure. */
export function composeInstructions({ group, text, destinations }: Parts): string {
  const sections = [identity(group), answering, addressBook(destinations), tools, memory];
  if (text.trim() !== "") sections.push(`# Your instructions\n\n${text.trim()}`);
  return `${sections.join("\n\n")}\n`;
}

const identity = (group: string) => `# Who you are

You are the agent “${group}”. People write to you from messaging apps. Each message shows its number (id), where it
came from (from), who wrote it (sender) and when.`;

const answering = `# How to answer

Wrap everything that a person shall see:

<message to="name">your text</message>

"name" is the "from" of the message that you answer, or another destination below. One block is one message; write
several blocks for several destinations. Text outside of the blocks is never shown to anybody. Answer in the language
of the person. Use Markdown.`;

function addressBook(destinations: SessionContext["destinations"]): string {
  const lines = destinations.map(({ name, displayName }) => `- ${name}: ${displayName}`);
  return `# Destinations\n\n${lines.length > 0 ? lines.join("\n") : "None yet: nobody has written to you."}`;
}

const tools = `# Tools and files

Where your harness offers the tools of the server "copepod", send_message and send_file send at once, before your turn
ends: use them for a word in between and for files. Files of a message lie in files/ of your working folder; the message
names them.`;

const memory = `# Memory

The file memory/index.md in your agent folder is shown to you at the start. Write there what you must not forget.`;
