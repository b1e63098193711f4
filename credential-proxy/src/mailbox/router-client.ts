import {
  Agent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
  request as startRequest,
} from "node:http";
import { Socket } from "node:net";
import { pipeline, type Readable } from "node:stream";
import { urlToHttpOptions } from "node:url";
import { CopepodError } from "@copepod/core/errors";
import { longPollMs } from "@copepod/core/limits";
import type { RouterAddress } from "@copepod/core/router-address";
import { dial } from "./dial.ts";
import type { TokenSource } from "./token.ts";

/** An answer to a long poll may be this late before the router counts as gone. */
const patienceMs = longPollMs + 10_000;

export interface RouterRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Readable | string;
  readonly signal: AbortSignal;
}

export interface RouterAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
}

/** The router's mailbox, called as this session. */
export interface RouterClient extends AsyncDisposable {
  /** @throws CopepodError `unavailable` when there is no answer; the signal's reason when it aborts. */
  send(request: RouterRequest): Promise<RouterAnswer>;
}

export interface RouterClientDeps {
  readonly address: RouterAddress;
  readonly token: TokenSource;
  /** At the same time. */
  readonly connections: number;
  /** Hears the status of each answer; 0 = there was none. */
  readonly onAnswer?: (status: number) => void;
}

/** With Node's own client, which is there anyway: that of undici would take 6 MB more in each session. */
export function createRouterClient({ address, token, connections, onAnswer }: RouterClientDeps): RouterClient {
  const place = placeOf(address);
  const agent = agentFor(place, connections);
  return {
    async send(request) {
      const authorization = `Bearer ${await token()}`;
      request.signal.throwIfAborted();
      try {
        const headers = { ...request.headers, authorization };
        const answer = await exchange({ ...request, headers }, { place, agent });
        onAnswer?.(answer.statusCode ?? 0);
        return { status: answer.statusCode ?? 0, headers: answer.headers, body: answer };
      } catch (cause) {
        request.signal.throwIfAborted();
        onAnswer?.(0);
        throw new CopepodError("unavailable", "the router is not running or the connection to it broke", { cause });
      }
    },
    [Symbol.asyncDispose]: async () => agent.destroy(),
  };
}

function exchange(
  { method, path, headers, body, signal }: RouterRequest,
  { place, agent }: { readonly place: Place; readonly agent: Agent },
): Promise<IncomingMessage> {
  const answered = Promise.withResolvers<IncomingMessage>();
  const sending = startRequest({ ...place, agent, method, path, headers, signal, timeout: patienceMs });
  sending.once("response", answered.resolve);
  // Later errors break the answer's body, which says so itself.
  sending.on("error", answered.reject);
  sending.once("timeout", () => sending.destroy(new Error("the router is silent")));
  if (typeof body === "string") sending.end(body);
  else pipeline(body, sending, () => undefined);
  return answered.promise;
}

/** A Unix socket loses no packet. */
function agentFor({ hostname, port }: Place, maxSockets: number): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets });
  if (!hostname) return agent;
  agent.createConnection = (_options, done) => {
    dial({ host: hostname, port: Number(port), noDelay: true, keepAlive: true }).then(
      (socket) => done?.(null, socket),
      (error: Error) => done?.(error, new Socket()),
    );
    return undefined;
  };
  return agent;
}

type Place = Pick<RequestOptions, "socketPath" | "hostname" | "port">;

function placeOf(address: RouterAddress): Place {
  if (address.kind === "socket") return { socketPath: address.socketPath };
  const { hostname, port } = urlToHttpOptions(new URL(address.url));
  return { hostname, port };
}
