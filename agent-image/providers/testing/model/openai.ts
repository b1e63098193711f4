import { z } from "zod";
import type { ToolInput } from "./conversation.ts";

const inputSchema = z.record(z.string(), z.unknown());

/** What both OpenAI formats share. Arguments of a call stand in a string of JSON. */
export function parseInput(json: string): ToolInput {
  return inputSchema.parse(JSON.parse(json === "" ? "{}" : json));
}

const types: Readonly<Record<number, readonly [type: string, code: string | null]>> = {
  400: ["invalid_request_error", null],
  401: ["invalid_request_error", "invalid_api_key"],
  404: ["invalid_request_error", "model_not_found"],
  429: ["requests", "rate_limit_exceeded"],
};

export function openAiError(status: number, message: string): object {
  const [type, code] = types[status] ?? ["server_error", null];
  return { error: { message, type, param: null, code } };
}
