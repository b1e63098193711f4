import { styleText } from "node:util";
import type { Line } from "@copepod/core/admin-api";
import type { Activity } from "@copepod/core/messages";

type Format = Parameters<typeof styleText>[0];

/** Colours a text, or leaves it as it is. */
export type Paint = (format: Format, text: string) => string;

/** No colours in a pipe, and none when the person has set NO_COLOR. */
export function createPaint(stream: NodeJS.WritableStream & { readonly isTTY?: boolean }): Paint {
  if (stream.isTTY !== true) return (_format, text) => text;
  // Checks what the terminal can do, and the variables that forbid it.
  return (format, text) => styleText(format, text, { stream });
}

/** One line of a conversation as a person reads it. */
export function renderLine(line: Line, agent: string, paint: Paint): string {
  const text = printable(line.text);
  switch (line.from) {
    case "person":
      return `${paint("cyan", "you:")} ${text}${(line.files ?? []).map(({ name }) => ` ${paint("dim", `[${name}]`)}`).join("")}`;
    case "agent":
      return `${paint(["green", "bold"], `${line.sender ?? agent}:`)} ${text}`;
    case "system":
      return paint("dim", `· ${text}`);
  }
}

/** What the agent does just now; undefined when it does nothing. */
export function renderActivity({ state, tool }: Activity, agent: string): string | undefined {
  switch (state) {
    case "idle":
      return undefined;
    case "thinking":
      return `${agent} is thinking…`;
    case "tool":
      return `${agent} is using ${tool ? printable(tool) : "a tool"}…`;
  }
}

/** Text from elsewhere must not steer the terminal: of the control characters only line breaks and tabs are kept. */
export function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\t\n]/gu, "");
}

/** The agent group in a session's name: `<group>-<12 hex>`. */
export const agentOfSession = (session: string): string => session.replace(/-[0-9a-f]{12}$/, "");
