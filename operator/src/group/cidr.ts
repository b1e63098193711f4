import { BlockList, isIP } from "node:net";

/** Whether each address of the one range is of the other too. Both are written as `address/bits`. */
export function isWithin(inner: string, outer: string): boolean {
  const [one, other] = [split(inner), split(outer)];
  if (one.family !== other.family || one.bits < other.bits) return false;
  const list = new BlockList();
  list.addSubnet(other.address, other.bits, other.family);
  return list.check(one.address, one.family);
}

export const isVersion6 = (cidr: string): boolean => cidr.includes(":");

/** The range that holds this address alone; undefined for what is no address. */
export function rangeOf(address: string): string | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : `${address}/${version === 4 ? 32 : 128}`;
}

function split(cidr: string) {
  const [address = "", bits = ""] = cidr.split("/");
  return { address, bits: Number(bits), family: isVersion6(cidr) ? ("ipv6" as const) : ("ipv4" as const) };
}
