import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Endpoint, Handlers } from "@copepod/core/endpoint";
import { CopepodError, codeOf, type ErrorCode, parseInput, statusOf } from "@copepod/core/errors";
import { blobPaths, type Uploaded } from "@copepod/core/files";
import { type AgentMessage, mailboxApi, type SessionContext } from "@copepod/core/mailbox-api";
import type { Activity, ControlMessage, MailboxMessage } from "@copepod/core/messages";

type MailboxName = keyof typeof mailboxApi;

/** What happens to one call instead of its answer. */
export type Fault =
  /** It is carried out, and then the connection breaks. */
  | { readonly call: MailboxName; readonly kind: "answerLost" }
  /** It is not carried out. */
  | { readonly call: MailboxName; readonly kind: "refused"; readonly code: ErrorCode };

export interface Turn {
  readonly turn: number;
  readonly consumed: readonly number[];
  readonly messages: readonly AgentMessage[];
  readonly cancelled: boolean;
  readonly notice: string | undefined;
}

interface Row {
  message: MailboxMessage;
  state: "pending" | "leased" | "done" | "dead";
}

const token = "token-of-the-session-which-only-the-proxy-knows";

/**
 * The mailbox of one session, in memory, over a Unix socket. Checks inputs and answers with core's schemas. Its limits:
 * one session; leases do not expire; a failed row is due again at once; nothing is stored; only the first row of a
 * repeated turn remembers what was sent.
 */
export class FakeRouter implements AsyncDisposable {
  readonly token = token;
  readonly finished: Turn[] = [];
  readonly failed: { readonly rows: readonly number[]; readonly class: string; readonly message: string }[] = [];
  readonly posted: (AgentMessage & { readonly turn: number })[] = [];
  readonly acknowledged: string[] = [];
  readonly activities: Activity[] = [];
  readonly instances: string[] = [];
  readonly calls: MailboxName[] = [];
  readonly faults: Fault[] = [];
  /** Contents by their hash. */
  readonly blobs = new Map<string, Buffer>();
  /** So many downloads break off in the middle. */
  brokenDownloads = 0;
  draining = false;
  context: SessionContext = {
    version: "1",
    session: "default/test",
    group: "demo",
    provider: "demo",
    agent: { mcpServers: [], skills: [] },
    maxMessagesPerPrompt: 10,
    timeZone: "Europe/Berlin",
    instructions: "Answer in blocks.",
    destinations: [
      { name: "family", displayName: "Family" },
      { name: "work", displayName: "Work" },
    ],
  };
  #rows: Row[] = [];
  #control: ControlMessage[] = [];
  #postKeys = new Map<string, number>();
  #seq = 0;
  #holder: string | undefined;
  #server: Server | undefined;
  #changed = Promise.withResolvers<void>();

  async start(socketPath: string): Promise<void> {
    const server = createServer((request, response) => void this.#serve(request, response));
    this.#server = server.listen(socketPath);
    await once(server, "listening");
  }

  /** Breaks every connection. `start` makes it answer again, with all that it knew. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** A chat row from the destination `family`, unless something else is said. @returns its seq. */
  say(text: string, overrides: Partial<MailboxMessage> = {}): number {
    const seq = ++this.#seq;
    const message = {
      kind: "chat",
      seq,
      trigger: true,
      redelivered: false,
      from: "family",
      sender: "Ann",
      time: Date.UTC(2026, 0, 15, 20, 5),
      body: { text },
      ...overrides,
    };
    this.#rows.push({ message: parseInput(mailboxApi.take.output.shape.messages.element, message), state: "pending" });
    this.#notify();
    return seq;
  }

  /** As if it had been uploaded. */
  store(content: Buffer): Uploaded {
    const blob = createHash("sha256").update(content).digest("hex");
    this.blobs.set(blob, content);
    return { blob, bytes: content.length };
  }

  stopTurn(turn: number): string {
    const id = `control-${this.#control.length + this.acknowledged.length + 1}`;
    this.#control.push({ id, body: { action: "stop", turn } });
    this.#notify();
    return id;
  }

  /** Another runner has said hello. */
  supersede(): void {
    this.#holder = "somebody-else";
    this.#notify();
  }

  drain(): void {
    this.draining = true;
    this.#notify();
  }

  stateOf(seq: number): Row["state"] | undefined {
    return this.#rows.find((row) => row.message.seq === seq)?.state;
  }

  /** Resolves when the condition holds; looked at after each call and change. */
  async until(condition: (router: this) => boolean): Promise<void> {
    while (!condition(this)) await this.#changed.promise;
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  // --- the calls ---

  readonly #handlers: Handlers<typeof mailboxApi, AbortSignal> = {
    hello: async ({ instance }) => {
      this.#holder = instance;
      this.instances.push(instance);
      for (const row of this.#rows) {
        if (row.state !== "leased") continue;
        row.state = "pending";
        row.message = { ...row.message, redelivered: true };
      }
      return { session: this.context.session, epoch: 1 };
    },
    take: async ({ instance, held, limit, waitMs }, gone) => {
      const until = Date.now() + waitMs;
      for (;;) {
        this.#check(instance);
        const answer = this.#take(held, limit);
        if (
          answer.messages.length + answer.control.length > 0 ||
          this.draining ||
          Date.now() >= until ||
          gone.aborted
        ) {
          return answer;
        }
        await Promise.race([this.#changed.promise, ended(gone, until)]);
      }
    },
    heartbeat: async ({ instance, activity }) => {
      this.#check(instance);
      this.activities.push(activity);
      return { drain: this.draining };
    },
    post: async ({ instance, turn, to, text, files, occurrence }) => {
      this.#check(instance);
      this.#checkDestination(to);
      const key = JSON.stringify([turn, to, text, files, occurrence]);
      const known = this.#postKeys.get(key);
      if (known !== undefined) return { seq: known, duplicate: true };
      const seq = ++this.#seq;
      this.#postKeys.set(key, seq);
      this.posted.push({ turn, to, text, ...(files ? { files } : {}) });
      return { seq, duplicate: false };
    },
    finish: async ({ instance, turn, consumed, messages, cancelled, notice }) => {
      this.#check(instance);
      if (consumed.every((seq) => this.stateOf(seq) === "done")) return { repeated: true };
      this.#end(consumed, "done");
      this.finished.push({ turn, consumed, messages, cancelled, notice });
      return { repeated: false };
    },
    acknowledge: async ({ instance, control }) => {
      this.#check(instance);
      this.#control = this.#control.filter(({ id }) => !control.includes(id));
      this.acknowledged.push(...control);
      return {};
    },
    fail: async ({ instance, rows, class: failure, message }) => {
      this.#check(instance);
      this.failed.push({ rows, class: failure, message });
      const dead = failure === "permanent" || failure === "auth";
      this.#end(rows, dead ? "dead" : "pending");
      return { dead: dead ? rows : [] };
    },
    context: async () => this.context,
    usage: async () => ({}),
    drain: async () => {
      this.draining = true;
      return {};
    },
  };

  #take(held: readonly number[], limit: number) {
    const leased = this.#rows.filter((row) => row.state === "leased" && !held.includes(row.message.seq));
    const fresh = this.draining ? [] : this.#rows.filter((row) => row.state === "pending").slice(0, limit);
    for (const row of fresh) row.state = "leased";
    const messages = [...leased, ...fresh].map((row) => row.message).sort((a, b) => a.seq - b.seq);
    const first = messages[0];
    const alreadySent = first?.redelivered ? this.posted.filter((message) => message.turn === first.seq) : [];
    return {
      messages,
      control: this.#control,
      alreadySent: alreadySent.map(({ turn: _turn, ...message }) => message),
      contextVersion: this.context.version,
      drain: this.draining,
    };
  }

  #end(seqs: readonly number[], state: Row["state"]): void {
    for (const row of this.#rows) {
      if (!seqs.includes(row.message.seq)) continue;
      if (row.state !== "leased") throw new CopepodError("conflict", `row ${row.message.seq} is not leased`);
      row.state = state;
      if (state === "pending") row.message = { ...row.message, redelivered: true };
    }
  }

  #check(instance: string): void {
    if (instance !== this.#holder) throw new CopepodError("superseded", "another runner holds the session");
  }

  #checkDestination(to: string): void {
    if (this.context.destinations.some(({ name }) => name === to)) return;
    throw new CopepodError("destinationUnknown", `there is no destination ${to}`);
  }

  // --- the wire ---

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (request.headers.authorization !== `Bearer ${token}`) throw new CopepodError("unauthorized", "wrong token");
      if (request.url?.startsWith(blobPaths.mailbox)) return await this.#serveBlob(request, response);
      const [name, endpoint] = findEndpoint(request);
      const input = parseInput(endpoint.input, JSON.parse(await readBody(request)));
      const gone = new AbortController();
      response.once("close", () => gone.abort());
      const fault = this.#nextFault(name);
      if (fault?.kind === "refused") throw new CopepodError(fault.code, "refused by the test");
      // The name and its input come from the same entry of the API, which the compiler can't follow.
      const handle = this.#handlers[name] as (input: unknown, gone: AbortSignal) => Promise<unknown>;
      const answer = endpoint.output.parse(await handle(input, gone.signal));
      this.calls.push(name);
      this.#notify();
      if (fault?.kind === "answerLost") response.destroy();
      else send(response, 200, answer);
    } catch (error) {
      const code = codeOf(error);
      send(response, statusOf(code), { error: { code, message: error instanceof Error ? error.message : "fault" } });
    }
  }

  async #serveBlob(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === "PUT") return send(response, 200, this.store(Buffer.concat(await request.toArray())));
    const content = this.blobs.get(request.url?.slice(blobPaths.mailbox.length + 1) ?? "");
    if (!content) throw new CopepodError("notFound", "there is no such file");
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": content.length });
    if (this.brokenDownloads-- <= 0) response.end(content);
    else response.write(content.subarray(0, content.length / 2), () => response.destroy());
  }

  #nextFault(call: MailboxName): Fault | undefined {
    const index = this.faults.findIndex((fault) => fault.call === call);
    return index < 0 ? undefined : this.faults.splice(index, 1)[0];
  }
}

function findEndpoint(request: IncomingMessage): [MailboxName, Endpoint] {
  const found = Object.entries(mailboxApi).find(([, { path }]) => path === request.url);
  if (!found) throw new CopepodError("notFound", "no such call");
  return [found[0] as MailboxName, found[1]];
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks = await request.setEncoding("utf8").toArray();
  return chunks.join("");
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

function ended(gone: AbortSignal, until: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.max(0, until - Date.now()));
    gone.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
