import { type Clock, pause } from "@copepod/kube/clock";

/** Addresses of a host as its name servers know them now. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** The names of private upstreams are asked for again after this time. */
export const resolveEveryMs = 60_000;
const lookupTimeoutMs = 5_000;

/** Addresses of hosts. A name that can't be resolved for a while keeps the addresses that it had. */
export class Hosts {
  readonly #known = new Map<string, { readonly addresses: readonly string[]; readonly at: number }>();
  readonly #lookup: Lookup;
  readonly #clock: Clock;

  constructor(lookup: Lookup, clock: Clock) {
    this.#lookup = lookup;
    this.#clock = clock;
  }

  /** @returns by host, in one order; without those that never had an address */
  async addressesOf(hosts: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, readonly string[]>> {
    await Promise.all(hosts.map(async (host) => await this.#refresh(host, signal)));
    const found = hosts.map((host) => [host, this.#known.get(host)?.addresses ?? []] as const);
    return new Map(found.filter(([, addresses]) => addresses.length > 0));
  }

  async #refresh(host: string, signal: AbortSignal): Promise<void> {
    const known = this.#known.get(host);
    const at = this.#clock.monotonic();
    if (known && at - known.at < resolveEveryMs) return;
    const found = await Promise.race([
      this.#lookup(host).catch(() => []),
      pause(this.#clock, lookupTimeoutMs, signal).then(() => []),
    ]);
    const addresses = found.length > 0 ? [...new Set(found)].sort() : (known?.addresses ?? []);
    this.#known.set(host, { addresses, at });
  }
}
