import type { IncomingMessage, ServerResponse } from "node:http";
import { text as readText } from "node:stream/consumers";
import type { SendFault } from "./faults.ts";
import { type PlatformState, showOnce, until } from "./platform-state.ts";
import { messageSchema, type PlatformMessage, typingSchema } from "./wire.ts";

export async function handle(state: PlatformState, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? "/", "http://platform");
  switch (`${request.method} ${url.pathname}`) {
    case "GET /events":
      return handOut(state, url.searchParams, response);
    case "POST /messages":
      return receive(state, messageSchema.parse(JSON.parse(await readText(request))), response);
    case "GET /history":
      return history(state, url.searchParams, response);
    case "POST /typing": {
      const { chat } = typingSchema.parse(JSON.parse(await readText(request)));
      state.typing.set(chat, (state.typing.get(chat) ?? 0) + 1);
      answer(response, 200, {});
      return;
    }
    default:
      answer(response, 404, {});
  }
}

async function handOut(state: PlatformState, query: URLSearchParams, response: ServerResponse): Promise<void> {
  const refused = state.faults.nextEvents();
  if (refused) {
    answer(response, refused.status, {}, refused.retryAfterMs);
    return;
  }
  const after = Number(query.get("after"));
  const ended = new AbortController();
  response.once("close", () => ended.abort());
  const time = AbortSignal.timeout(Number(query.get("waitMs")));
  const signal = AbortSignal.any([ended.signal, time]);
  await until(state, () => state.stream.length > after, signal).catch(() => undefined);
  const cursor = Math.min(state.stream.length, after + state.faults.eventsPerPoll);
  answer(response, 200, { events: state.stream.slice(after, cursor), cursor });
}

function receive(state: PlatformState, message: PlatformMessage, response: ServerResponse): void {
  state.sends += 1;
  const fault = state.faults.nextSend(message.chat);
  const id = shows(fault) ? showOnce(state, message) : "";
  switch (fault?.kind) {
    case "status":
      answer(response, fault.status, {}, fault.retryAfterMs);
      return;
    case "drop":
      response.destroy();
      return;
    case "hang":
      return;
    case "slow": {
      const timer = setTimeout(() => answer(response, 200, { id }), fault.delayMs);
      response.once("close", () => clearTimeout(timer));
      return;
    }
    case undefined:
      answer(response, 200, { id });
  }
}

function shows(fault: SendFault | undefined): boolean {
  switch (fault?.kind) {
    case "status":
      return false;
    case "drop":
    case "hang":
      return fault.shown;
    case "slow":
    case undefined:
      return true;
  }
}

function history(state: PlatformState, query: URLSearchParams, response: ServerResponse): void {
  if (state.options.historyReadable === false) {
    answer(response, 403, {});
    return;
  }
  const since = Number(query.get("since"));
  const lines = state.chats.get(query.get("chat") ?? "") ?? [];
  const messages = lines
    .filter((line) => line.from === "agent" && line.at >= since)
    .map(({ id, thread, text, key, at }) => ({
      ...{ id, text, at },
      ...(thread === undefined ? {} : { thread }),
      ...(key === undefined || state.options.keysInHistory === false ? {} : { key }),
    }));
  answer(response, 200, { messages });
}

function answer(response: ServerResponse, status: number, body: unknown, retryAfterMs?: number): void {
  if (retryAfterMs !== undefined) response.setHeader("retry-after", retryAfterMs / 1_000);
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
