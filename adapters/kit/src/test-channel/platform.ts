import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { PlatformEndpoint } from "./client.ts";
import type { Faults } from "./faults.ts";
import { handle } from "./platform-server.ts";
import {
  changed,
  createState,
  type PlatformOptions,
  redeliver,
  type Said,
  type ShownLine,
  say,
  until,
} from "./platform-state.ts";

/**
 * A messaging platform that does what a script says. Its limits: it keeps every event and line in memory for as long
 * as it runs; it has one agent's account, no attachments, edits, reactions or logins; a send is shown at the moment it
 * is read, or never; the event stream is a long poll whose cursor is a plain count.
 */
export interface Platform extends AsyncDisposable {
  /** The Channel's config. */
  readonly endpoint: PlatformEndpoint;
  readonly faults: Faults;
  /** @returns the id of the event. */
  say(chat: string, text: string, said?: Said): string;
  /** Delivers events again, in the order given. */
  redeliver(ids: readonly string[]): void;
  /** All that a chat shows, in order. */
  log(chat: string): readonly ShownLine[];
  /** How often the agent was shown as typing in a chat. */
  typingCount(chat: string): number;
  /** How many sends were read, shown or not. */
  sendCount(): number;
  /** Breaks every open connection. */
  disconnect(): void;
  /** Nobody can connect until `goOnline`. */
  goOffline(): Promise<void>;
  goOnline(): Promise<void>;
  /** Resolves once the condition holds; looked at after each change. Rejects when the signal aborts. */
  until(condition: () => boolean, signal: AbortSignal): Promise<void>;
}

export async function startPlatform(options: PlatformOptions = {}): Promise<Platform> {
  const state = createState(options);
  const server = createServer((request, response) => {
    handle(state, request, response).then(
      () => changed(state),
      () => request.destroy(),
    );
  });
  const endpoint = await listen(server, options.socket ?? 0);
  return {
    endpoint,
    faults: state.faults,
    say: (chat, text, said = {}) => {
      const id = say(state, { chat, text, said });
      changed(state);
      return id;
    },
    redeliver: (ids) => {
      for (const id of ids) redeliver(state, id);
      changed(state);
    },
    log: (chat) => state.chats.get(chat) ?? [],
    typingCount: (chat) => state.typing.get(chat) ?? 0,
    sendCount: () => state.sends,
    disconnect: () => server.closeAllConnections(),
    goOffline: () => close(server),
    goOnline: async () => void (await listen(server, "socket" in endpoint ? endpoint.socket : portOf(endpoint.url))),
    until: (condition, signal) => until(state, condition, signal),
    [Symbol.asyncDispose]: () => close(server),
  };
}

async function listen(server: Server, where: string | number): Promise<PlatformEndpoint> {
  if (typeof where === "string") server.listen(where);
  else server.listen(where, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address === "string") return { socket: address };
  return { url: `http://127.0.0.1:${address?.port}` };
}

const portOf = (url: string): number => Number(new URL(url).port);

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}
