import { dirname } from "node:path";
import { referenceOf } from "../images/archive.ts";
import { busyboxImage } from "../images/standard.ts";
import { network } from "./config.ts";

const namespace = "kube-system";
const labels = { "k8s-app": "kube-dns" };
const port = 53;
const readyPort = 8181;

/** Names of the cluster are answered, everything else does not exist: no packet leaves the machine. */
const corefile = `${network.domain} in-addr.arpa {
    errors
    ready
    kubernetes ${network.domain} in-addr.arpa {
        ttl 5
    }
}

. {
    template ANY ANY {
        rcode NXDOMAIN
    }
}
`;

/**
 * CoreDNS where every cluster has it, so that network policies that allow DNS are the same here. Its program is mounted from
 * the machine into a small image: packing and unpacking it would take longer than the whole start of the node.
 * @param program path of CoreDNS
 */
export const dnsManifests = (program: string): readonly object[] => [
  { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "coredns", namespace } },
  {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name: "system:coredns" },
    rules: [
      { apiGroups: [""], resources: ["services", "pods", "namespaces"], verbs: ["list", "watch"] },
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
    ],
  },
  {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: "system:coredns" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "system:coredns" },
    subjects: [{ kind: "ServiceAccount", name: "coredns", namespace }],
  },
  { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "coredns", namespace }, data: { Corefile: corefile } },
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "kube-dns", namespace, labels },
    spec: {
      clusterIP: network.dnsService,
      selector: labels,
      ports: ["UDP", "TCP"].map((protocol) => ({ name: protocol.toLowerCase(), port, protocol })),
    },
  },
  {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "coredns", namespace, labels },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: podSpec(program) },
    },
  },
];

const podSpec = (program: string): object => ({
  priorityClassName: "system-cluster-critical",
  serviceAccountName: "coredns",
  // It must not ask itself.
  dnsPolicy: "Default",
  terminationGracePeriodSeconds: 1,
  containers: [
    {
      name: "coredns",
      image: referenceOf(busyboxImage),
      imagePullPolicy: "Never",
      command: ["/program/coredns", "-conf", "/config/Corefile"],
      readinessProbe: { httpGet: { path: "/ready", port: readyPort }, periodSeconds: 1 },
      securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
      volumeMounts: [
        { name: "program", mountPath: "/program", readOnly: true },
        { name: "config", mountPath: "/config", readOnly: true },
      ],
    },
  ],
  volumes: [
    { name: "program", hostPath: { path: dirname(program), type: "Directory" } },
    { name: "config", configMap: { name: "coredns" } },
  ],
});
