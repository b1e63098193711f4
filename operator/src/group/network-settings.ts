import { z } from "zod";

const cidr = z.union([z.cidrv4(), z.cidrv6()]);

/** Private, shared, link-local, loopback, special, multicast and reserved; of IPv6 what lies within the public range. */
const defaultDeniedCidrs = [
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"],
  ...["192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"],
  ...["2001::/23", "2002::/16"],
];

/** What of the cluster pods of sessions never reach, and where their DNS is. */
export const networkSettings = z
  .strictObject({
    /** Ranges of addresses that stay closed although the internet is open. Add the nodes' and the API server's public ones. */
    deniedCidrs: z.array(cidr).default(defaultDeniedCidrs),
    dns: z
      .strictObject({
        namespace: z.string().min(1).default("kube-system"),
        podLabels: z.record(z.string(), z.string()).default({ "k8s-app": "kube-dns" }),
        /** Of a cache on the nodes, such as 169.254.20.10. */
        addresses: z.array(z.union([z.ipv4(), z.ipv6()])).default([]),
      })
      .prefault({}),
  })
  .prefault({});
export type NetworkSettings = z.output<typeof networkSettings>;
