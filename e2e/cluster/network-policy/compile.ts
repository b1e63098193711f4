import type { Namespace, Pod } from "./pod.ts";
import type { Direction, Peer, Policy, Port, Rule } from "./policy.ts";
import { isSelected, type Labels } from "./selector.ts";

export interface ClusterState {
  readonly pods: Iterable<Pod>;
  readonly namespaces: Iterable<Namespace>;
  readonly policies: Iterable<Policy>;
}

type AddressedPod = Pod & { readonly address: string };

interface World {
  readonly pods: readonly AddressedPod[];
  readonly namespaceLabels: ReadonlyMap<string, Labels>;
  readonly policies: readonly Policy[];
}

const table = "inet copepod_network_policy";

/**
 * The whole table, as `nft -f` takes it: one transaction takes the place of what was there. The same state in another order
 * gives the same text.
 *
 * Leaving and arriving are judged in chains of their own, because `accept` only ends the chain that says it: a packet between
 * pods must pass both. What the node itself sends is never judged: kubelet probes always arrive. Addresses are those behind a
 * Service, which has been translated by then.
 *
 * Nothing is judged that a new pod sends or gets before the kubelet has told the API server its address, which takes up to
 * about a second: a test that expects silence waits for it.
 */
export function compile(state: ClusterState): string {
  const world = worldOf(state);
  return `table ${table} {}
delete table ${table}
table ${table} {
${compileDirection("egress", world)}
${compileDirection("ingress", world)}
  chain leaving {
    type filter hook forward priority -1; policy accept;
    jump leaving_any
  }
  chain leaving_to_node {
    type filter hook input priority 0; policy accept;
    iifname "lo" accept
    jump leaving_any
  }
  chain leaving_any {
    ${onlyVersion4}
    ${answers}
    ip saddr vmap @egress_pods
  }
  chain arriving {
    type filter hook forward priority 0; policy accept;
    ${answers}
    ip daddr vmap @ingress_pods
  }
}
`;
}

/** Else a pod reaches the node, and all that listens on it, by the link-local address of its own wire. */
const onlyVersion4 = "meta nfproto ipv6 drop";

/** Not whatever is established: else a pod kept for good what it opened before its address was known. */
const answers = "ct direction reply accept\n    ct state related accept";

function worldOf({ pods, namespaces, policies }: ClusterState): World {
  const byAddress = new Map<string, AddressedPod>();
  for (const pod of pods) {
    const { address } = pod;
    if (address === undefined || (pod.isLeaving && byAddress.has(address))) continue;
    byAddress.set(address, { ...pod, address });
  }
  return {
    pods: [...byAddress.values()].sort((one, other) => compareText(one.address, other.address)),
    namespaceLabels: new Map([...namespaces].map(({ name, labels }) => [name, labels])),
    policies: [...policies].sort((one, other) => compareText(one.key, other.key)),
  };
}

const compareText = (one: string, other: string): number => (one < other ? -1 : Number(one > other));

/** What a packet's other end is called, seen from the pod that is judged. */
const otherEnd: Readonly<Record<Direction, string>> = { ingress: "saddr", egress: "daddr" };

/** One chain for each policy, one for each isolated pod that tries its policies in turn, and a map from address to chain. */
function compileDirection(direction: Direction, world: World): string {
  const isolating = world.policies.flatMap((policy, index) => {
    const rules = policy[direction];
    return rules === undefined ? [] : [{ policy, rules, chain: `${direction}_policy_${index}` }];
  });
  const policyChains = isolating.map(({ policy, rules, chain }) =>
    chainOf(
      chain,
      rules.flatMap((rule) => compileRule(rule, direction, { ...world, policy })),
    ),
  );
  const isolated = world.pods.flatMap((pod, index) => {
    const own = isolating.filter(({ policy }) => selects(policy, pod));
    return own.length === 0 ? [] : [{ pod, own, chain: `${direction}_pod_${index}` }];
  });
  const podChains = isolated.map(({ pod, own, chain }) =>
    chainOf(chain, [
      // A pod may always speak to itself, also by way of a Service.
      `ip ${otherEnd[direction]} ${pod.address} accept`,
      ...own.map((policy) => `jump ${policy.chain}`),
      "drop",
    ]),
  );
  const elements = isolated.map(({ pod, chain }) => `${pod.address} : goto ${chain}`);
  return [...policyChains, ...podChains, mapOf(`${direction}_pods`, elements)].join("\n");
}

const chainOf = (name: string, lines: readonly string[]): string =>
  `  chain ${name} {\n${lines.map((line) => `    ${line}\n`).join("")}  }`;

const mapOf = (name: string, elements: readonly string[]): string => {
  const filled = elements.length === 0 ? "" : ` elements = { ${elements.join(", ")} };`;
  return `  map ${name} { type ipv4_addr : verdict;${filled} }`;
};

const selects = ({ namespace, selector }: Policy, pod: Pod): boolean =>
  pod.namespace === namespace && isSelected(selector, pod.labels);

type PolicyWorld = World & { readonly policy: Policy };

function compileRule({ peers, ports }: Rule, direction: Direction, world: PolicyWorld): string[] {
  const from = peers.length === 0 ? [""] : peers.flatMap((peer) => compilePeer(peer, otherEnd[direction], world));
  const on = ports.length === 0 ? [""] : ports.flatMap((port) => compilePort(port, world.pods));
  return from.flatMap((peer) => on.map((port) => `${peer}${port}accept`));
}

function compilePeer(peer: Peer, end: string, world: PolicyWorld): string[] {
  if (peer.ipBlock) {
    const { cidr, except } = peer.ipBlock;
    if (cidr.includes(":")) return [];
    return [`ip ${end} ${cidr} ${except.map((block) => `ip ${end} != ${block} `).join("")}`];
  }
  const addresses = world.pods.filter((pod) => isPeer(peer, pod, world)).map(({ address }) => address);
  return addresses.length === 0 ? [] : [`ip ${end} { ${addresses.join(", ")} } `];
}

/** Without a namespaceSelector only pods of the policy's own namespace are meant. */
function isPeer({ podSelector, namespaceSelector }: Peer, pod: Pod, { policy, namespaceLabels }: PolicyWorld): boolean {
  const labels = namespaceLabels.get(pod.namespace);
  const isInNamespace = namespaceSelector
    ? labels !== undefined && isSelected(namespaceSelector, labels)
    : pod.namespace === policy.namespace;
  return isInNamespace && (podSelector === undefined || isSelected(podSelector, pod.labels));
}

function compilePort({ protocol, port, endPort }: Port, pods: readonly AddressedPod[]): string[] {
  const name = protocol.toLowerCase();
  if (port === undefined) return [`meta l4proto ${name} `];
  if (typeof port === "number") return [`${name} dport ${endPort === undefined ? port : `${port}-${endPort}`} `];
  return pods.flatMap(({ address, namedPorts }) =>
    namedPorts
      .filter((named) => named.name === port && named.protocol === protocol)
      .map((named) => `ip daddr ${address} ${name} dport ${named.port} `),
  );
}
