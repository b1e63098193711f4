/** `from -> to protocol/port`. The places are in `world.ts`. */
export type Probe = string;

export interface Row {
  readonly name: string;
  /** A policy's `spec`, in the namespace `shop` unless it says otherwise. */
  readonly policies: readonly object[];
  readonly passes: readonly Probe[];
  readonly drops: readonly Probe[];
}

const app = (name: string) => ({ podSelector: { matchLabels: { app: name } } });
const team = (name: string) => ({ namespaceSelector: { matchLabels: { team: name } } });
const dnsPods = {
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
  podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
};
const dnsPorts = [{ protocol: "UDP", port: 53 }, { port: 53 }];
const denyIn = { podSelector: {}, policyTypes: ["Ingress"] };
const denyOut = { podSelector: {}, policyTypes: ["Egress"] };

/** What reaches pods with `app: web`. */
const into = (...ingress: readonly object[]) => ({ ...app("web"), policyTypes: ["Ingress"], ingress });
/** What pods with `app: client` reach. */
const outOf = (...egress: readonly object[]) => ({ ...app("client"), policyTypes: ["Egress"], egress });

const isolation: readonly Row[] = [
  {
    name: "default deny in isolates the pods of its namespace, and only against what comes in",
    policies: [denyIn],
    passes: ["web -> guest tcp/80", "client -> outside tcp/80", "guest -> stranger tcp/80"],
    drops: ["client -> web tcp/80", "guest -> web tcp/80", "outside -> web tcp/80", "client -> web udp/53"],
  },
  {
    name: "default deny out isolates the pods of its namespace, and only against what goes out",
    policies: [denyOut],
    passes: ["guest -> web tcp/80", "outside -> web tcp/80"],
    drops: ["client -> guest tcp/80", "client -> outside tcp/80", "client -> dns udp/53", "client -> service tcp/80"],
  },
  {
    name: "default deny of both lets neither in nor out",
    policies: [{ podSelector: {}, policyTypes: ["Ingress", "Egress"] }],
    passes: ["guest -> stranger tcp/80"],
    drops: ["guest -> web tcp/80", "web -> guest tcp/80"],
  },
  {
    name: "only the selected pods are isolated",
    policies: [into()],
    passes: ["client -> db tcp/80"],
    drops: ["client -> web tcp/80"],
  },
  {
    name: "policyTypes alone decide: rules of a direction that is not listed do nothing",
    policies: [{ ...app("client"), policyTypes: ["Ingress"], egress: [{ to: [app("db")] }] }],
    passes: ["client -> web tcp/80"],
    drops: ["web -> client tcp/80"],
  },
  {
    name: "without policyTypes the egress direction is isolated only where there are egress rules",
    policies: [app("web"), { ...app("client"), egress: [{ to: [app("web")] }] }],
    passes: ["web -> db tcp/80"],
    drops: ["db -> web tcp/80", "db -> client tcp/80", "client -> db tcp/80"],
  },
  {
    name: "an empty rule lets everybody in, whatever else isolates",
    policies: [denyIn, into({})],
    passes: ["guest -> web tcp/80", "outside -> web udp/53"],
    drops: ["guest -> db tcp/80"],
  },
  {
    name: "a list of peers that is there and empty means everybody",
    policies: [into({ from: [], ports: [{ port: 80 }] })],
    passes: ["guest -> web tcp/80"],
    drops: ["guest -> web tcp/443"],
  },
  {
    name: "policies add up",
    policies: [into({ from: [app("client")] }), into({ from: [team("lab")], ports: [{ port: 443 }] })],
    passes: ["client -> web tcp/80", "guest -> web tcp/443"],
    drops: ["guest -> web tcp/80", "db -> web tcp/80"],
  },
  {
    name: "both ends must agree",
    policies: [outOf({ to: [app("web")] }), into({ from: [app("db")] })],
    passes: ["db -> web tcp/80"],
    drops: ["client -> web tcp/80", "client -> db tcp/80"],
  },
];

const peers: readonly Row[] = [
  {
    name: "a podSelector means pods of the policy's own namespace",
    policies: [into({ from: [app("client")] })],
    passes: ["client -> web tcp/80", "client -> web udp/53"],
    drops: ["db -> web tcp/80", "guest -> web tcp/80"],
  },
  {
    name: "a namespaceSelector means all pods of the namespaces",
    policies: [into({ from: [team("lab")] })],
    passes: ["guest -> web tcp/80", "stranger -> web tcp/80"],
    drops: ["client -> web tcp/80", "dns -> web tcp/80"],
  },
  {
    name: "an empty namespaceSelector means pods of all namespaces, and nobody outside",
    policies: [into({ from: [{ namespaceSelector: {} }] })],
    passes: ["guest -> web tcp/80", "dns -> web tcp/80", "client -> web tcp/80"],
    drops: ["outside -> web tcp/80"],
  },
  {
    name: "both selectors in one peer must both hold",
    policies: [into({ from: [{ ...team("lab"), ...app("client") }] })],
    passes: ["guest -> web tcp/80"],
    drops: ["stranger -> web tcp/80", "client -> web tcp/80"],
  },
  {
    name: "one of two peers is enough",
    policies: [into({ from: [team("lab"), app("client")] })],
    passes: ["guest -> web tcp/80", "stranger -> web tcp/80", "client -> web tcp/80"],
    drops: ["db -> web tcp/80", "dns -> web tcp/80"],
  },
  {
    name: "a peer that nobody is lets nobody in",
    policies: [into({ from: [app("missing")] })],
    passes: [],
    drops: ["client -> web tcp/80", "outside -> web tcp/80"],
  },
  {
    name: "expressions select: In, NotIn, Exists, DoesNotExist",
    policies: [
      {
        podSelector: { matchExpressions: [{ key: "tier", operator: "Exists" }] },
        policyTypes: ["Ingress"],
        ingress: [
          { from: [{ podSelector: { matchExpressions: [{ key: "app", operator: "In", values: ["web", "db"] }] } }] },
          {
            from: [
              {
                namespaceSelector: { matchExpressions: [{ key: "team", operator: "NotIn", values: ["shop"] }] },
                podSelector: { matchExpressions: [{ key: "tier", operator: "DoesNotExist" }] },
              },
            ],
          },
        ],
      },
    ],
    passes: ["web -> db tcp/80", "db -> web tcp/80", "dns -> web tcp/80", "guest -> db tcp/80", "db -> client tcp/80"],
    drops: ["client -> web tcp/80", "stranger -> web tcp/80", "stranger -> db tcp/80"],
  },
  {
    name: "a label is one that the object has, whatever its key",
    policies: [
      {
        podSelector: { matchExpressions: [{ key: "valueOf", operator: "DoesNotExist" }] },
        policyTypes: ["Ingress"],
        ingress: [
          { from: [{ podSelector: { matchExpressions: [{ key: "constructor", operator: "Exists" }] } }] },
          { from: [app("db")], ports: [{ port: 80 }] },
        ],
      },
    ],
    passes: ["db -> web tcp/80"],
    drops: ["client -> web tcp/80", "db -> web tcp/443"],
  },
  {
    name: "an ipBlock holds but for its exceptions, inwards",
    policies: [
      into({ from: [{ ipBlock: { cidr: "203.0.113.0/24", except: ["203.0.113.20/32", "203.0.113.16/28"] } }] }),
    ],
    passes: ["outside -> web tcp/80"],
    drops: ["outside2 -> web tcp/80", "client -> web tcp/80"],
  },
  {
    name: "an ipBlock holds but for its exceptions, outwards",
    policies: [outOf({ to: [{ ipBlock: { cidr: "0.0.0.0/0", except: ["10.0.0.0/8"] } }] })],
    passes: ["client -> outside tcp/80", "client -> outside2 udp/53"],
    drops: ["client -> web tcp/80", "client -> node tcp/443", "client -> dns udp/53"],
  },
  {
    name: "a range of IPv6 is nobody here, and what else a policy allows still passes",
    policies: [
      outOf({ to: [{ ipBlock: { cidr: "2000::/3", except: ["2002::/16"] } }] }, { to: [app("web")] }),
      into({ from: [{ ipBlock: { cidr: "::/0" } }, app("client")] }),
    ],
    passes: ["client -> web tcp/80"],
    drops: ["client -> outside tcp/80", "client -> db tcp/80", "outside -> web tcp/80"],
  },
];

const ports: readonly Row[] = [
  {
    name: "a port is a port of one protocol, TCP when none is said",
    policies: [into({ ports: [{ port: 80 }] })],
    passes: ["client -> web tcp/80", "outside -> web tcp/80"],
    drops: ["client -> web tcp/443", "client -> web udp/80"],
  },
  {
    name: "a range holds from its first to its last port",
    policies: [into({ ports: [{ port: 80, endPort: 8005 }] })],
    passes: ["client -> web tcp/80", "client -> web tcp/8000", "client -> web tcp/8005"],
    drops: ["client -> web tcp/8006", "client -> web tcp/53"],
  },
  {
    name: "ports that overlap hold together",
    policies: [into({ ports: [{ port: 8000, endPort: 8005 }, { port: 8000 }, { port: 8005, endPort: 8006 }] })],
    passes: ["client -> web tcp/8000", "client -> web tcp/8006"],
    drops: ["client -> web tcp/80"],
  },
  {
    name: "a protocol without a port means all its ports",
    policies: [into({ ports: [{ protocol: "UDP" }] })],
    passes: ["client -> web udp/53", "client -> web udp/8006"],
    drops: ["client -> web tcp/53"],
  },
  {
    name: "a named port is the one that each pod calls so, in the protocol that is meant",
    policies: [
      {
        podSelector: {},
        policyTypes: ["Ingress"],
        ingress: [{ ports: [{ port: "http" }, { protocol: "UDP", port: "admin" }] }],
      },
    ],
    passes: ["guest -> web tcp/80", "guest -> db tcp/8000"],
    drops: ["guest -> web tcp/8000", "guest -> db tcp/80", "guest -> db tcp/8006", "guest -> web udp/8006"],
  },
  {
    name: "peers and ports of one rule must both hold",
    policies: [into({ from: [app("client")], ports: [{ port: 80 }] }, { from: [app("db")], ports: [{ port: 443 }] })],
    passes: ["client -> web tcp/80", "db -> web tcp/443"],
    drops: ["client -> web tcp/443", "db -> web tcp/80"],
  },
  {
    name: "egress to DNS only",
    policies: [outOf({ to: [dnsPods], ports: dnsPorts })],
    passes: ["client -> dns udp/53", "client -> dns tcp/53"],
    drops: ["client -> dns tcp/80", "client -> web udp/53", "client -> outside udp/53", "client -> node udp/53"],
  },
];

const ways: readonly Row[] = [
  {
    name: "the node is reached only where egress allows its address",
    policies: [
      outOf({ to: [{ ipBlock: { cidr: "10.200.0.1/32" } }], ports: [{ protocol: "UDP", port: 53 }] }),
      denyOut,
    ],
    passes: ["client -> node udp/53", "guest -> node tcp/443"],
    drops: ["client -> node tcp/443", "web -> node udp/53", "client -> web udp/53"],
  },
  {
    name: "the node reaches every pod: probes of the kubelet arrive",
    policies: [{ podSelector: {}, policyTypes: ["Ingress", "Egress"] }],
    passes: ["node -> web tcp/80", "node -> client udp/53"],
    drops: ["client -> web tcp/80"],
  },
  {
    name: "answers come back to who may ask",
    policies: [
      { ...app("web"), policyTypes: ["Egress"] },
      { ...app("client"), policyTypes: ["Ingress"] },
    ],
    passes: ["client -> web tcp/80", "client -> web udp/53"],
    drops: ["web -> client tcp/80", "web -> client udp/53"],
  },
  {
    name: "egress to a Service is judged by the pod and port behind it",
    policies: [
      outOf({ to: [app("web")], ports: [{ port: 8000 }] }),
      { ...app("db"), policyTypes: ["Egress"], egress: [{ to: [app("web")], ports: [{ port: 80 }] }] },
    ],
    passes: ["client -> service tcp/80", "client -> web tcp/8000"],
    drops: ["db -> service tcp/80", "client -> web tcp/80"],
  },
  {
    name: "ingress by a Service is judged by who asks",
    policies: [into({ from: [app("client")] })],
    passes: ["client -> service tcp/80"],
    drops: ["db -> service tcp/80", "guest -> service tcp/80"],
  },
  {
    name: "a pod reaches itself by its own Service",
    policies: [{ podSelector: {}, policyTypes: ["Ingress", "Egress"] }],
    passes: ["web -> service tcp/80"],
    drops: ["client -> service tcp/80"],
  },
];

const refusals: readonly Row[] = [
  {
    name: "a policy with what is not done here allows nothing",
    policies: [into({ ports: [{ port: 80 }, { protocol: "SCTP", port: 80 }] })],
    passes: ["client -> db tcp/80"],
    drops: ["client -> web tcp/80", "web -> db tcp/80"],
  },
  {
    name: "what other policies allow still passes",
    policies: [outOf({ to: [app("web")], ports: [{ port: "http" }] }), outOf({ to: [app("db")] })],
    passes: ["client -> db tcp/80"],
    drops: ["client -> web tcp/80"],
  },
  {
    name: "a policy whose selector can't be read isolates its whole namespace",
    policies: [{ podSelector: { matchMood: "good" } }],
    passes: ["guest -> stranger tcp/80"],
    drops: ["client -> web tcp/80", "web -> outside tcp/80"],
  },
];

export const rows: readonly Row[] = [...isolation, ...peers, ...ports, ...ways, ...refusals];
