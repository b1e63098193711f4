import { CopepodError } from "@copepod/core/errors";
import { maxTextLength } from "@copepod/core/limits";
import { nameSchema, textSchema } from "@copepod/core/messages";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { Tools } from "../providers/provider.ts";

const to = nameSchema.describe('A destination: the "from" of a message, or a name of the list of destinations.');

const messageInput = z.object({
  to,
  text: textSchema.describe(`What to say, as Markdown. At most ${maxTextLength} characters.`),
});
const fileInput = z.object({
  to,
  path: z.string().min(1).max(4_096).describe("The file: absolute, or from your workspace."),
  text: textSchema.optional().describe("A word to go with it."),
});

interface ToolResult {
  readonly content: [{ type: "text"; text: string }];
  readonly isError?: true;
  [key: string]: unknown;
}

/** The tools of Copepod as an MCP server over HTTP. */
export function createToolsHandler(tools: Tools) {
  return createMcpHandler(() => {
    const server = new McpServer({ name: "copepod", version: "1" });
    server.registerTool(
      "send_message",
      {
        description:
          "Sends a message now, before your turn ends: for progress, or to somebody else. Your answer itself needs no tool.",
        inputSchema: messageInput,
      },
      (input) => say(() => tools.sendMessage(input.to, input.text)),
    );
    server.registerTool(
      "send_file",
      { description: "Sends a file of your workspace or agent folder now.", inputSchema: fileInput },
      (input) => say(() => tools.sendFile(input.to, input.path, input.text)),
    );
    return server;
  });
}

/** What went wrong is told to the model, as far as it is meant to be read. */
async function say(send: () => Promise<{ seq: number }>): Promise<ToolResult> {
  try {
    const { seq } = await send();
    return { content: [{ type: "text", text: `Sent as message ${seq}.` }] };
  } catch (error) {
    const text = error instanceof CopepodError ? error.message : "It could not be sent: a fault inside Copepod.";
    return { content: [{ type: "text", text }], isError: true };
  }
}
