import { BlockList, isIP } from "node:net";

/** Where a host may be. */
export interface AddressPolicy {
  /** The host was named as a private one: private and loopback addresses count too. */
  readonly isPrivate: boolean;
  /** Keys go there in plain text: public addresses don't count. */
  readonly isPlain: boolean;
  /** Addresses of this machine's own interfaces. */
  readonly own: ReadonlySet<string>;
}

/** Metadata services, which no rule opens. */
const metadata = [
  "169.254.169.254",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
  "fd00:ec2::254",
  "fd20:ce::254",
];

/** Opened by `private`. */
const privateRanges = [
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "::1/128",
  "fc00::/7",
];

/** This network, link-local, special purpose, documentation, benchmarks, multicast, reserved. */
const specialRanges = ["0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15"]
  .concat(["198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"])
  .concat(["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]);

/** All that is public in IPv6 lies here; so every form that holds an IPv4 address is outside. */
const globalRanges = ["2000::/3"];

const metadataList = toList(metadata.map((address) => `${address}/${address.includes(":") ? 128 : 32}`));
const privateList = toList(privateRanges);
const specialList = toList(specialRanges);
const globalList = toList(globalRanges);

/** @param address as a resolver returns it; whatever is no address is not reachable either. */
export function isReachable(address: string, { isPrivate, isPlain, own }: AddressPolicy): boolean {
  const family = isIP(address);
  if (family === 0 || address.includes("%")) return false;
  const type = family === 4 ? "ipv4" : "ipv6";
  if (metadataList.check(address, type) || specialList.check(address, type)) return false;
  // BlockList finds IPv4 rules in mapped addresses too: those are never dialled.
  if (privateList.check(address, type)) return isPrivate && !address.toLowerCase().startsWith("::ffff:");
  return !isPlain && (family === 4 || globalList.check(address, type)) && (isPrivate || !own.has(address));
}

function toList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = "", bits = ""] = range.split("/");
    list.addSubnet(network, Number(bits), network.includes(":") ? "ipv6" : "ipv4");
  }
  return list;
}
