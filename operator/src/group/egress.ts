import { labels, ports } from "@copepod/core/cluster";
import type { AgentGroup } from "@copepod/crds/agent-group";
import { isVersion6, isWithin, rangeOf } from "./cidr.ts";
import type { NetworkSettings } from "./network-settings.ts";
import type { PrivateUpstream } from "./upstreams.ts";

/** Metadata services of clouds, which hand out the node's identity: nothing opens them. */
const metadataRanges = [
  ...["169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "100.100.100.200/32", "168.63.129.16/32"],
  ...["192.0.0.192/32", "fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128"],
];

/** Nothing opens these either: Teredo and 6to4 lead to whatever IPv4 address is written in one of theirs. */
const closedRanges = [...metadataRanges, "2001::/32", "2002::/16"];

/** All that is public in IPv6 lies here, and nothing private. */
const internetRanges = ["0.0.0.0/0", "2000::/3"];

/** Label that Kubernetes itself gives each namespace. */
const namespaceName = "kubernetes.io/metadata.name";

export interface EgressWish {
  readonly network: NetworkSettings;
  readonly router: { readonly namespace: string; readonly podLabels: Readonly<Record<string, string>> };
  readonly allow: AgentGroup["spec"]["network"]["allow"];
  readonly upstreams: readonly PrivateUpstream[];
  /** Addresses of hosts, as they were resolved. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
}

interface Port {
  readonly protocol: "TCP" | "UDP";
  readonly port: number;
}

/** A rule as the API server gives it back, so that what was written compares equal to what is wanted. */
interface EgressRule {
  readonly to: readonly object[];
  readonly ports?: readonly Port[];
}

/**
 * What pods of an agent group's sessions reach: DNS, the router's mailbox, the internet without the ranges that are closed,
 * what the group allows, and the private upstreams of its Credentials. Nobody reaches them. Pure.
 * @returns the `spec` of the NetworkPolicy
 */
export function sessionPolicySpec(podLabels: Readonly<Record<string, string>>, wish: EgressWish) {
  return {
    podSelector: { matchLabels: podLabels },
    policyTypes: ["Ingress", "Egress"],
    egress: [
      dnsRule(wish.network.dns),
      { to: [podsOf(wish.router.namespace, wish.router.podLabels)], ports: [tcp(ports.mailbox)] },
      ...internetRules(wish.network.deniedCidrs),
      ...wish.allow.flatMap(allowRule),
      ...wish.upstreams.flatMap((upstream) => upstreamRule(upstream, wish.addresses)),
    ],
  };
}

/** Labels by which a policy knows the pods of a group's sessions. */
export const sessionPodLabels = (group: string): Readonly<Record<string, string>> => ({
  [labels.component]: "session",
  [labels.group]: group,
});

/** Whether nothing opens a range: a rule for it would allow nothing. */
export const isClosed = (cidr: string): boolean => closedRanges.some((range) => isWithin(cidr, range));

const tcp = (port: number): Port => ({ protocol: "TCP", port });

const podsOf = (namespace: string, podLabels?: Readonly<Record<string, string>>) => ({
  namespaceSelector: { matchLabels: { [namespaceName]: namespace } },
  ...(podLabels && { podSelector: { matchLabels: podLabels } }),
});

function dnsRule({ namespace, podLabels, addresses }: NetworkSettings["dns"]): EgressRule {
  const blocks = addresses.flatMap((address) => blockOf(rangeOf(address)));
  return { to: [podsOf(namespace, podLabels), ...blocks], ports: [{ protocol: "UDP", port: 53 }, tcp(53)] };
}

function internetRules(denied: readonly string[]): EgressRule[] {
  return internetRanges.flatMap((cidr) => {
    const to = blockOf(cidr, denied);
    return to.length === 0 ? [] : [{ to }];
  });
}

function allowRule({ cidr, ports: allowed }: EgressWish["allow"][number]): EgressRule[] {
  const to = blockOf(cidr);
  if (to.length === 0) return [];
  return [{ to, ...(allowed.length > 0 && { ports: allowed.map(tcp) }) }];
}

function upstreamRule(upstream: PrivateUpstream, addresses: EgressWish["addresses"]): EgressRule[] {
  const to = upstreamPeers(upstream, addresses);
  return to.length === 0 ? [] : [{ to, ports: [tcp(upstream.port)] }];
}

function upstreamPeers(upstream: PrivateUpstream, addresses: EgressWish["addresses"]): object[] {
  switch (upstream.kind) {
    case "address":
      return blockOf(rangeOf(upstream.address));
    case "service":
      return [podsOf(upstream.namespace)];
    case "name":
      return (addresses.get(upstream.host) ?? []).flatMap((address) => blockOf(rangeOf(address)));
  }
}

/**
 * The peer that stands for a range without the denied ones in it, and always without those that nothing opens; none where
 * nothing would be left. The API server takes only exceptions that lie within.
 */
function blockOf(cidr: string | undefined, denied: readonly string[] = []): object[] {
  const closed = [...denied, ...closedRanges];
  if (cidr === undefined || closed.some((range) => isWithin(cidr, range))) return [];
  const inside = [...new Set(closed)].filter(
    (range) => isVersion6(range) === isVersion6(cidr) && isWithin(range, cidr),
  );
  const except = inside.filter((range) => !inside.some((other) => other !== range && isWithin(range, other)));
  return [{ ipBlock: { cidr, ...(except.length > 0 && { except }) } }];
}
