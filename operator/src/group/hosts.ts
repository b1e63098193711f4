import { isDeepStrictEqual } from "node:util";
import { type Clock, pause } from "@copepod/kube/clock";
import type { Source } from "@copepod/kube/controller/sources";

/** Addresses of a host as its name servers know them now. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** The names of private upstreams are asked for again after this time. */
export const resolveEveryMs = 60_000;
const lookupTimeoutMs = 5_000;

/**
 * Addresses of hosts. Nobody waits for the DNS: who has asked for a host is a key of the source when its addresses are others. A
 * name that can't be resolved for a while keeps the addresses that it had.
 */
export class Hosts {
  readonly source: Source = {
    whenSynced: () => Promise.resolve(),
    subscribe: (add) => {
      this.#add = add;
      return () => {
        this.#add = () => undefined;
      };
    },
    keys: () => [],
  };
  readonly #known = new Map<string, { readonly addresses: readonly string[]; readonly at: number }>();
  readonly #asking = new Set<string>();
  /** Hosts by who asks for them. */
  readonly #wanted = new Map<string, readonly string[]>();
  readonly #lookup: Lookup;
  readonly #clock: Clock;
  #add: (key: string) => void = () => undefined;

  constructor(lookup: Lookup, clock: Clock) {
    this.#lookup = lookup;
    this.#clock = clock;
  }

  /** @returns what is known by now: addresses by host, in one order, and the hosts that have none */
  addressesOf(key: string, hosts: readonly string[]) {
    this.#want(key, hosts);
    for (const host of hosts) void this.#refresh(host);
    const found = hosts.map((host) => [host, this.#known.get(host)?.addresses ?? []] as const);
    const addresses: ReadonlyMap<string, readonly string[]> = new Map(found.filter(([, all]) => all.length > 0));
    return { addresses, unresolved: hosts.filter((host) => this.#known.get(host)?.addresses.length === 0) };
  }

  forget(key: string): void {
    this.#want(key, []);
  }

  #want(key: string, hosts: readonly string[]): void {
    const before = this.#wanted.get(key) ?? [];
    if (hosts.length > 0) this.#wanted.set(key, hosts);
    else this.#wanted.delete(key);
    for (const host of before) if (this.#askersOf(host).length === 0) this.#known.delete(host);
  }

  #askersOf(host: string): string[] {
    return [...this.#wanted].filter(([, hosts]) => hosts.includes(host)).map(([key]) => key);
  }

  async #refresh(host: string): Promise<void> {
    const at = this.#clock.monotonic();
    const known = this.#known.get(host);
    if (this.#asking.has(host) || (known && at - known.at < resolveEveryMs)) return;
    this.#asking.add(host);
    const found = await this.#ask(host);
    this.#asking.delete(host);
    const addresses = found.length > 0 ? [...new Set(found)].sort() : (known?.addresses ?? []);
    const askers = this.#askersOf(host);
    if (askers.length === 0) return;
    this.#known.set(host, { addresses, at });
    if (!isDeepStrictEqual(addresses, known?.addresses)) askers.forEach(this.#add);
  }

  async #ask(host: string): Promise<readonly string[]> {
    const over = new AbortController();
    try {
      return await Promise.race([
        this.#lookup(host).catch(() => []),
        pause(this.#clock, lookupTimeoutMs, over.signal).then(() => []),
      ]);
    } finally {
      over.abort();
    }
  }
}
