import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adminApi,
  type Line,
  type MessageRow,
  type ResourceView,
  type SessionRow,
  type UsageBy,
  type UsageSum,
} from "@copepod/core/admin-api";
import type { Handlers } from "@copepod/core/endpoint";
import { CopepodError } from "@copepod/core/errors";
import type { MessageFile } from "@copepod/core/files";
import type { Activity } from "@copepod/core/messages";
import { type ApiServer, type CallContext, serveApi } from "../http/serve-api.ts";
import { FakeBlobs } from "./fake-blobs.ts";

/** What the agent does about a message. */
export interface Reply {
  readonly lines?: readonly (Pick<Line, "from" | "text"> & Partial<Pick<Line, "files" | "session">>)[];
  /** true = the message stays open. */
  readonly pending?: boolean;
  readonly refuse?: CopepodError;
}

/** A row of a message to the agent, as the queue tells it. */
export const messageRow = (row: Pick<MessageRow, "id" | "state"> & Partial<MessageRow>): MessageRow => ({
  direction: "in",
  session: "default/helper-0123456789ab",
  kind: "chat",
  attempt: 1,
  createdAt: 0,
  text: "",
  ...row,
});

interface Message {
  readonly id: string;
  readonly conversation: string;
  readonly text: string;
  readonly files: readonly MessageFile[] | undefined;
  readonly dedupeKey: string;
  readonly group: string | undefined;
}

/** A router with an agent that follows a script, on a real socket. */
export class FakeRouter implements AsyncDisposable {
  readonly folder: string;
  readonly messages: Message[] = [];
  readonly applied: Record<string, unknown>[] = [];
  readonly stops: string[] = [];
  sessions: SessionRow[] = [];
  resources: ResourceView[] = [];
  rows: MessageRow[] = [];
  readonly usage = new Map<UsageBy, UsageSum[]>();
  /** The script. */
  reply: (text: string) => Reply = (text) => ({ lines: [{ from: "agent", text: `echo ${text}` }] });
  readonly blobs = new FakeBlobs();
  /** true = it was ended on purpose. */
  ended = false;
  /** So many answers to `say` get lost after the message was taken. */
  lostAnswers = 0;
  #lines: (Line & { conversation: string; position: number })[] = [];
  #open = new Map<string, Message>();
  #activity: Activity = { state: "idle" };
  #activityVersion = 0;
  #changed = Promise.withResolvers<void>();
  #server: Promise<ApiServer> | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async start(): Promise<FakeRouter> {
    const router = new FakeRouter(await mkdtemp(join(tmpdir(), "cpf-")));
    await router.serve();
    return router;
  }

  get socketPath(): string {
    return join(this.folder, "admin.sock");
  }

  async serve(): Promise<void> {
    this.#server = serveApi(adminApi, this.#handlers(), { socketPath: this.socketPath, onFault: console.error });
    await this.#server;
  }

  /** As if the router were killed: it forgets nothing, and can serve again. */
  async stopServing(): Promise<void> {
    const server = await this.#server;
    await server?.[Symbol.asyncDispose]();
  }

  activity(activity: Activity): void {
    this.#activity = activity;
    this.#activityVersion++;
    this.#notify();
  }

  /** The agent says something, and its turn over the message ends. */
  finish(id: string, lines: Reply["lines"] = []): void {
    const message = this.#open.get(id);
    if (!message) throw new Error(`${id} is not open`);
    this.#open.delete(id);
    this.#say(message.conversation, lines);
    this.activity({ state: "idle" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopServing();
    await rm(this.folder, { recursive: true, force: true });
  }

  #say(conversation: string, lines: Reply["lines"] = []): void {
    for (const line of lines) {
      const position = this.#lines.length + 1;
      this.#lines.push({ ...line, id: `line-${position}`, time: 0, position, conversation });
    }
    this.#notify();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #take(message: Message): void {
    const { refuse, lines, pending } = this.reply(message.text);
    if (refuse) throw refuse;
    this.messages.push(message);
    if (pending) this.#open.set(message.id, message);
    this.#say(message.conversation, lines);
  }

  #handlers(): Handlers<typeof adminApi, CallContext> {
    const position = () => this.#lines.length;
    return {
      status: async () => ({ version: "1", ready: true, reasons: [], problems: [], channels: [] }),
      listResources: async ({ kind }) => ({ items: this.resources.filter((one) => one.kind === kind) }),
      applyResource: async ({ resource }) => {
        this.applied.push(resource);
        return { result: "created", kind: String(resource.kind), name: "x" };
      },
      listSessions: async () => ({ items: this.sessions }),
      listMessages: async ({ state }) => ({ items: this.rows.filter((row) => !state || row.state === state) }),
      retry: async ({ id }) => {
        const item = this.rows.find((row) => row.id === id);
        if (!item) throw new CopepodError("notFound", `message ${id} does not exist`);
        return { item: { ...item, state: "pending" } };
      },
      usage: async ({ by }) => ({ items: this.usage.get(by) ?? [] }),
      backup: async ({ path }) => ({ path, bytes: 3 }),
      say: async ({ conversation, group, text, files, dedupeKey }) => {
        const before = position();
        const known = this.messages.find((message) => message.dedupeKey === dedupeKey);
        const id = known?.id ?? `message-${this.messages.length + 1}`;
        if (!known) this.#take({ id, conversation, text, files, dedupeKey, group });
        if (this.lostAnswers-- > 0) throw new CopepodError("unavailable", "the answer got lost");
        return { id, duplicate: known !== undefined, session: "helper-0123456789ab", position: before };
      },
      events: async ({ conversation, after, activityVersion, waitMs }, { signal }) => {
        const look = () => this.#lines.filter((line) => line.conversation === conversation && line.position > after);
        const deadline = performance.now() + waitMs;
        while (look().length === 0 && activityVersion === this.#activityVersion && performance.now() < deadline) {
          await untilSettled(this.#changed.promise, AbortSignal.any([signal, AbortSignal.timeout(waitMs)]));
          if (signal.aborted) break;
        }
        const open = [...this.#open.values()].filter((one) => one.conversation === conversation).map(({ id }) => id);
        const activity = { activity: this.#activity, activityVersion: this.#activityVersion };
        const lines = look();
        return { lines, position: lines.at(-1)?.position ?? after, ...activity, open };
      },
      history: async ({ conversation, limit }) => {
        const lines = this.#lines.filter((line) => line.conversation === conversation).slice(-limit);
        return { lines, position: position() };
      },
      stop: async ({ conversation }) => {
        this.stops.push(conversation);
        for (const { id } of [...this.#open.values()]) this.finish(id);
        return { stopping: true };
      },
    };
  }
}

function untilSettled(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return Promise.race([
    promise,
    new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true })),
  ]);
}
