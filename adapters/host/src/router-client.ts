import { readFileSync } from "node:fs";
import { type ChannelClient, channelApi } from "@copepod/core/channel-api";
import { createClient } from "@copepod/core/endpoint";
import { longPollMs } from "@copepod/core/limits";
import type { RouterAddress } from "@copepod/core/router-address";
import { Agent, request } from "undici";

/** An answer later than the longest poll and this is no answer. */
const answerMarginMs = 10_000;

/** The channel API of the router. The token is read anew for each call, since it rotates. */
export function connectRouter(
  address: RouterAddress,
  tokenFile: string,
): { readonly client: ChannelClient; close(): Promise<void> } {
  const timeoutMs = longPollMs + answerMarginMs;
  const connect = address.kind === "socket" ? { connect: { socketPath: address.socketPath } } : {};
  const dispatcher = new Agent({ ...connect, headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
  const client = createClient(channelApi, {
    baseUrl: address.kind === "socket" ? "http://router" : address.url,
    token: () => readFileSync(tokenFile, "utf8").trim(),
    async fetch(url, { method, ...init }) {
      const { statusCode, body } = await request(url, {
        dispatcher,
        method: method === "GET" ? "GET" : "POST",
        ...init,
      });
      return { status: statusCode, text: () => body.text() };
    },
  });
  return { client, close: () => dispatcher.destroy() };
}
