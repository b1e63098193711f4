import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { CopepodError, codeOf, type ErrorCode, statusOf } from "@copepod/core/errors";

/** Longest request id that is taken over from the caller. */
const maxRequestIdLength = 128;

/** Codes that time may cure; clients are told not to repeat any other. */
const passing: readonly ErrorCode[] = ["unavailable", "upstreamFailed", "secretMissing", "podUnknown", "timeout"];

/** `error.type` in the words of the model APIs, by status. */
const apiTypes: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  405: "invalid_request_error",
  413: "request_too_large",
  426: "invalid_request_error",
};

export interface Refusal {
  readonly error: unknown;
  readonly requestId: string;
  /** Where HTTP has a status of its own for what the code says in general. */
  readonly status?: number;
}

/** Answers with an error that people, runners and the clients of both model APIs understand. */
export function answerError(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
  // The answer has begun: only a broken connection can still say that it is not whole.
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { status, headers, body } = describe(refusal);
  // What the caller still sends is not read, so its connection can't be used again.
  const close = request.complete ? {} : { connection: "close" };
  response.writeHead(status, { ...headers, ...close });
  response.end(body);
}

/** The same on a connection whose request never became one. */
export function answerSocketError(socket: Duplex, refusal: Refusal): void {
  if (!socket.writable) return void socket.destroy();
  const { status, headers, body } = describe(refusal);
  const lines = Object.entries({ ...headers, connection: "close" }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join("")}\r\n${body}`, () => socket.destroy());
}

function describe({ error, requestId, status = statusOf(codeOf(error)) }: Refusal) {
  const code = codeOf(error);
  const message = error instanceof CopepodError ? error.message : "a fault inside the credential-proxy";
  const type = apiTypes[status] ?? "api_error";
  const body = JSON.stringify({ type: "error", error: { type, code, message, requestId } });
  const headers = {
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    "x-request-id": requestId,
    "x-copepod-error": code,
    "x-should-retry": String(passing.includes(code)),
  };
  return { status, headers, body };
}

export function toRequestId(given: string | string[] | undefined): string {
  return typeof given === "string" && /^[\x21-\x7e]+$/.test(given) && given.length <= maxRequestIdLength
    ? given
    : randomUUID();
}
