/** What all three wire formats say, in one form. */
export interface ModelRequest {
  readonly model: string;
  readonly effort: string | undefined;
  readonly stream: boolean;
  /** The request asks for thinking, so that an answer begins with some. */
  readonly thinking: boolean;
  readonly conversation: Conversation;
}

export interface Conversation {
  /** System prompt and everything else that comes from no person. */
  readonly system: string;
  readonly items: readonly Item[];
  readonly tools: readonly OfferedTool[];
}

export type Item =
  | { readonly kind: "text"; readonly role: "user" | "assistant"; readonly text: string }
  | { readonly kind: "call"; readonly id: string; readonly tool: string; readonly input: ToolInput }
  | { readonly kind: "output"; readonly id: string; readonly text: string };

export interface OfferedTool {
  readonly name: string;
  /** Responses API: the tool stands in a namespace, and a call of it has to name it. */
  readonly namespace?: string;
}

/** The name by which scripts and journals know a tool: the same with and without a namespace. */
export const fullName = ({ name, namespace }: OfferedTool): string =>
  namespace === undefined ? name : `${namespace}__${name}`;

export type ToolInput = Readonly<Record<string, unknown>>;

export interface ToolCall {
  readonly tool: OfferedTool;
  readonly input: ToolInput;
}

/** Tokens of a text, each with the white space before it. */
export const tokensOf = (text: string): string[] => text.match(/\s*\S+|\s+$/g) ?? [];
