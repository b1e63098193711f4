/** Debian packages that a cluster needs beside the binaries. */
export const packageNames = ["runc", "nftables", "conntrack", "iproute2", "iptables", "util-linux", "kmod"] as const;
export type PackageName = (typeof packageNames)[number];
