import type { LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { networkInterfaces } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { CopepodError } from "@copepod/core/errors";
import type { buildConnector } from "undici";
import createDialler from "undici/lib/core/connect.js";
import type { ProxyLimits } from "../limits.ts";
import { type AddressPolicy, isReachable } from "./addresses.ts";
import type { Resolve } from "./resolve.ts";

/** All addresses of this machine. */
const ownAddresses = (): ReadonlySet<string> =>
  new Set(Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)));

export interface ConnectorOptions {
  readonly isPrivate: boolean;
  /** `http:`: everyone on the way reads the key. */
  readonly isPlain: boolean;
  readonly resolve: Resolve;
  readonly limits: Pick<ProxyLimits, "dnsMs" | "connectMs">;
  /** Only for tests: who signs the certificates of upstreams. */
  readonly ca: string | undefined;
}

/**
 * Dials nothing but addresses that it has vetted: a name is resolved once per connection, and the very answers that were
 * vetted are used. An address in the place of a name is never resolved, so it is vetted by itself.
 */
export function createConnector({
  isPrivate,
  isPlain,
  resolve,
  limits,
  ca,
}: ConnectorOptions): buildConnector.connector {
  const policy = (): AddressPolicy => ({ isPrivate, isPlain, own: ownAddresses() });
  const vetted: LookupFunction = (host, options, callback) => {
    resolveVetted(host, { resolve, policy: policy(), dnsMs: limits.dnsMs }).then(
      (addresses) => {
        const [first] = addresses;
        if (options.all) callback(null, [...addresses]);
        else callback(null, first?.address ?? "", first?.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    );
  };
  const connect = createDialler({
    allowH2: false,
    timeout: limits.connectMs,
    lookup: vetted,
    autoSelectFamily: true,
    // Said here, since an environment variable could turn it off otherwise.
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
  });
  return (options, callback) => {
    if (isIP(options.hostname) !== 0 && !isReachable(options.hostname, policy()))
      return callback(denied(policy()), null);
    connect(options, callback);
  };
}

async function resolveVetted(
  host: string,
  { resolve, policy, dnsMs }: { readonly resolve: Resolve; readonly policy: AddressPolicy; readonly dnsMs: number },
): Promise<readonly LookupAddress[]> {
  const answered = new AbortController();
  const late = delay(dnsMs, undefined, { signal: answered.signal }).then(
    () => {
      throw new CopepodError("upstreamFailed", "the name of the model API was not resolved in time");
    },
    () => [],
  );
  try {
    const addresses = await Promise.race([resolve(host), late]);
    const reachable = addresses.filter(({ address }) => isReachable(address, policy));
    if (reachable.length === 0) throw denied(policy);
    return reachable;
  } finally {
    answered.abort();
  }
}

const denied = ({ isPrivate, isPlain }: AddressPolicy): CopepodError =>
  new CopepodError(
    "addressDenied",
    isPrivate && isPlain
      ? "the host of the model API has no private or loopback address, and http would show the key to everyone on the way; its Credential must say https"
      : "the host of the model API has only private, local or reserved addresses; its Credential must say upstream.private to allow that",
  );
