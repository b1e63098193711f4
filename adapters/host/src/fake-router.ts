import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { text as readText } from "node:stream/consumers";
import { type ChannelHealth, channelApi, type Delivery, type InboundEvent } from "@copepod/core/channel-api";
import type { Handlers } from "@copepod/core/endpoint";
import { CopepodError, codeOf, type ErrorCode, parseInput, statusOf } from "@copepod/core/errors";
import type { ChannelError } from "@copepod/core/messages";

interface Row {
  readonly id: string;
  readonly address: string;
  readonly text: string;
  readonly createdAt: number;
  state: "pending" | "leased" | "sent" | "failed";
  holder: string | undefined;
  uncertain: boolean;
  attempt: number;
  platformMessageId?: string;
  error?: ChannelError;
}

/** As much of the router as an adapter host sees, in memory; transient failures are pending again at once. */
export interface FakeRouter extends AsyncDisposable {
  readonly socket: string;
  readonly token: string;
  config: Record<string, unknown>;
  readonly rows: Map<string, Row>;
  readonly events: Map<string, InboundEvent>;
  cursor: string | undefined;
  health: ChannelHealth | undefined;
  /** Adds a message to a conversation's lane. */
  queue(address: string, text: string): string;
  setTyping(addresses: readonly string[]): void;
  /** The next calls of a name are answered with an error, before or after they had their effect. */
  refuse(call: CallName, code: ErrorCode, options?: { readonly times?: number; readonly after?: boolean }): void;
  /** How often a call was made. */
  calls(call: CallName): number;
  goOffline(): Promise<void>;
  goOnline(): Promise<void>;
  until(condition: () => boolean): Promise<void>;
}

type CallName = keyof typeof channelApi;

interface State {
  holder: string | undefined;
  readonly ended: Set<string>;
  readonly rows: Map<string, Row>;
  readonly events: Map<string, InboundEvent>;
  cursor: string | undefined;
  health: ChannelHealth | undefined;
  config: Record<string, unknown>;
  typing: readonly string[];
  typingVersion: number;
  readonly changes: EventTarget;
}

const patienceMs = 15_000;

export async function startFakeRouter(socket: string, config: Record<string, unknown>): Promise<FakeRouter> {
  const state: State = {
    ...{
      holder: undefined,
      ended: new Set(),
      rows: new Map(),
      events: new Map(),
      cursor: undefined,
      health: undefined,
    },
    ...{ config, typing: [], typingVersion: 0, changes: new EventTarget() },
  };
  const token = "token-of-this-channel";
  const counts = new Map<CallName, number>();
  const refusals: { call: CallName; code: ErrorCode; after: boolean }[] = [];
  const handlers = createHandlers(state);
  const changed = () => state.changes.dispatchEvent(new Event("change"));
  const run = async (name: CallName, input: unknown): Promise<unknown> => {
    counts.set(name, (counts.get(name) ?? 0) + 1);
    changed();
    const index = refusals.findIndex((refusal) => refusal.call === name);
    const refusal = refusals[index];
    if (refusal) refusals.splice(index, 1);
    const parsed = parseInput(channelApi[name].input, input);
    const output = refusal && !refusal.after ? undefined : await (handlers[name] as (i: unknown) => unknown)(parsed);
    if (refusal) throw new CopepodError(refusal.code, "refused by the test");
    return output;
  };
  const server = createServer((request, response) => {
    serve(run, token, { request, response }).then(changed, () => request.destroy());
  });
  await listen(server, socket);
  return Object.assign(state, {
    socket,
    token,
    queue: (address: string, text: string) => queueRow(state, address, text),
    setTyping(addresses: readonly string[]) {
      state.typing = addresses;
      state.typingVersion += 1;
      changed();
    },
    refuse(call: CallName, code: ErrorCode, { times = 1, after = false } = {}) {
      for (let time = 0; time < times; time++) refusals.push({ call, code, after });
    },
    calls: (call: CallName) => counts.get(call) ?? 0,
    goOffline: () => close(server),
    goOnline: () => listen(server, socket),
    async until(condition: () => boolean) {
      const signal = AbortSignal.timeout(patienceMs);
      while (!condition()) await once(state.changes, "change", { signal });
    },
    [Symbol.asyncDispose]: () => close(server),
  });
}

function queueRow(state: State, address: string, text: string): string {
  const id = `out-${state.rows.size + 1}`;
  const fresh = { state: "pending", holder: undefined, uncertain: false, attempt: 1 } as const;
  state.rows.set(id, { id, address, text, createdAt: Date.now(), ...fresh });
  state.changes.dispatchEvent(new Event("change"));
  return id;
}

function createHandlers(state: State): Handlers<typeof channelApi, void> {
  const ending = async (instance: string, id: string, end: Partial<Row>) => {
    assertHolder(state, instance);
    const row = state.rows.get(id);
    if (row?.state === "leased") Object.assign(row, { holder: undefined, uncertain: false, ...end });
    return {};
  };
  return {
    async hello({ instance }) {
      if (state.holder && state.holder !== instance) state.ended.add(state.holder);
      state.holder = instance;
      for (const row of state.rows.values()) {
        if (row.state === "leased") Object.assign(row, { state: "pending", holder: undefined, uncertain: true });
      }
      return { channel: "default/test", config: state.config, ...(state.cursor ? { cursor: state.cursor } : {}) };
    },
    async accept({ instance, events, cursor }) {
      assertHolder(state, instance);
      const fresh = events.filter((event) => !state.events.has(event.dedupeKey));
      for (const event of fresh) state.events.set(event.dedupeKey, event);
      state.cursor = cursor ?? state.cursor;
      return { accepted: fresh.length, duplicates: events.length - fresh.length, refused: 0 };
    },
    lease: (input) => lease(state, input),
    complete: ({ instance, id, platformMessageId }) => ending(instance, id, { state: "sent", platformMessageId }),
    fail({ instance, id, error }) {
      const again = error.class === "transient" || error.class === "rateLimited";
      const attempt = (state.rows.get(id)?.attempt ?? 0) + 1;
      return ending(instance, id, { state: again ? "pending" : "failed", attempt, error });
    },
    async health({ instance, ...health }) {
      assertHolder(state, instance);
      state.health = health;
      return {};
    },
  };
}

interface LeaseInput {
  readonly instance: string;
  readonly held: readonly string[];
  readonly limit: number;
  readonly waitMs: number;
  readonly typingVersion: number;
}

async function lease(state: State, input: LeaseInput) {
  const signal = AbortSignal.timeout(input.waitMs);
  for (;;) {
    assertHolder(state, input.instance);
    const deliveries = leaseRows(state, input);
    if (deliveries.length > 0 || state.typingVersion > input.typingVersion || signal.aborted) {
      const typing = state.typing.map((address) => ({ address }));
      return { deliveries, typing, typingVersion: state.typingVersion };
    }
    await once(state.changes, "change", { signal }).catch(() => undefined);
  }
}

function leaseRows(state: State, { instance, held, limit }: LeaseInput): Delivery[] {
  const heads = new Map<string, Row>();
  for (const row of state.rows.values()) {
    if ((row.state === "pending" || row.state === "leased") && !heads.has(row.address)) heads.set(row.address, row);
  }
  const mine = [...heads.values()].filter((row) => row.state === "pending" || !held.includes(row.id)).slice(0, limit);
  return mine.map((row) => {
    Object.assign(row, { state: "leased", holder: instance });
    const { id, address, text, attempt, uncertain, createdAt } = row;
    return { id, idempotencyKey: `key-${id}`, address, text, attempt, uncertain, createdAt };
  });
}

function assertHolder(state: State, instance: string): void {
  if (state.holder !== instance || state.ended.has(instance)) {
    throw new CopepodError("superseded", "another host has this channel");
  }
}

async function serve(
  run: (name: CallName, input: unknown) => Promise<unknown>,
  token: string,
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
): Promise<void> {
  const answer = (status: number, body: unknown) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  try {
    if (request.headers.authorization !== `Bearer ${token}`) throw new CopepodError("unauthorized", "wrong token");
    const entry = Object.entries(channelApi).find(([, { path }]) => path === request.url);
    if (!entry) throw new CopepodError("notFound", "no such call");
    answer(200, await run(entry[0] as CallName, JSON.parse(await readText(request))));
  } catch (error) {
    const code = codeOf(error);
    answer(statusOf(code), { error: { code, message: error instanceof Error ? error.message : "?" } });
  }
}

async function listen(server: Server, socket: string): Promise<void> {
  server.listen(socket);
  await once(server, "listening");
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}
