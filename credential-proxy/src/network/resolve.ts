import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";

/** All addresses of a host name. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

export const resolveBySystem: Resolve = (host) => lookup(host, { all: true, order: "verbatim" });
