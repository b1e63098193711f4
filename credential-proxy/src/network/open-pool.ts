import Pool from "undici/lib/dispatcher/pool.js";
import type { ProxyLimits } from "../limits.ts";
import type { Route } from "../rules/rules.ts";
import { createConnector } from "./connector.ts";
import type { Resolve } from "./resolve.ts";

export interface UpstreamsDeps {
  readonly resolve: Resolve;
  readonly limits: ProxyLimits;
  /** Only for tests: who signs the certificates of upstreams. */
  readonly ca: string | undefined;
}

/** What leads to one upstream. */
export type Place = Pick<Route, "upstream" | "origin">;

export function openPool({ upstream, origin }: Place, { resolve, limits, ca }: UpstreamsDeps): Pool {
  const isPlain = origin.startsWith("http:");
  return new Pool(origin, {
    connect: createConnector({ isPrivate: upstream.private, isPlain, resolve, limits, ca }),
    connections: limits.maxModelRequests,
    pipelining: 1,
    headersTimeout: limits.answerHeadMs,
    bodyTimeout: limits.answerIdleMs,
    maxHeaderSize: limits.maxHeadBytes,
  });
}
