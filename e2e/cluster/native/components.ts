import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { apiServerCommand, type CommandLine, etcdCommand } from "../control-plane/commands.ts";
import { containerdSocket, network, ports } from "./config.ts";
import type { NodeFiles } from "./files.ts";
import { accepts, answers, succeeds } from "./probes.ts";
import { type NodeSpec, nodeFolderOf } from "./spec.ts";

export interface Component {
  readonly command: CommandLine;
  /** Whether it serves. Without one it does as soon as it runs. */
  readonly probe?: () => Promise<boolean>;
}

export const componentNames = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "containerd",
  "kubelet",
  "kube-proxy",
  "network-policy",
  "local-path-provisioner",
] as const;
export type ComponentName = (typeof componentNames)[number];

const enforcer = fileURLToPath(new URL("../network-policy/main.ts", import.meta.url));

/** The programs that run on a node. */
export const components = (spec: NodeSpec, files: NodeFiles): Readonly<Record<ComponentName, Component>> => ({
  etcd: etcd(spec, files),
  "kube-apiserver": apiServer(spec, files),
  "kube-controller-manager": controllerManager(spec, files),
  "kube-scheduler": scheduler(spec, files),
  containerd: {
    command: [spec.programs.containerd, `--config=${files.containerd}`],
    probe: () => accepts(containerdSocket),
  },
  kubelet: kubelet(spec, files),
  "kube-proxy": kubeProxy(spec, files),
  "network-policy": {
    command: [process.execPath, enforcer, `--kubeconfig=${files.kubeconfigs["network-policy"]}`],
    probe: () => succeeds("nft", ["list", "table", "inet", "copepod_network_policy"]),
  },
  "local-path-provisioner": {
    // The rest is in the map of its configuration; see `addons.yaml`.
    command: [
      spec.programs["local-path-provisioner"],
      "start",
      `--kubeconfig=${files.kubeconfigs.admin}`,
      "--provisioner-name=copepod.dev/local-path",
      "--service-account-name=local-path-provisioner",
    ],
  },
});

const etcd = ({ folder, programs }: NodeSpec, { etcdKeys }: NodeFiles): Component => ({
  command: etcdCommand({
    program: programs.etcd,
    dataFolder: join(nodeFolderOf(folder), "etcd"),
    host: "127.0.0.1",
    port: ports.etcd,
    peerPort: ports.etcdPeer,
    keys: etcdKeys,
  }),
  probe: () => answers(`https://127.0.0.1:${ports.etcd}/health`, etcdKeys),
});

const apiServer = (
  { folder, programs, apiPort }: NodeSpec,
  { pki, keys, etcdKeys, auditPolicy }: NodeFiles,
): Component => ({
  command: apiServerCommand({
    program: programs["kube-apiserver"],
    host: network.node,
    port: apiPort,
    etcd: `https://127.0.0.1:${ports.etcd}`,
    etcdKeys,
    pki,
    keys: keys.apiServer,
    auditPolicyFile: auditPolicy,
    auditLog: auditLogOf(folder),
    serviceRange: network.services,
    flags: [
      // Pods reach it by the node's address, who enters the network by loopback.
      "--bind-address=0.0.0.0",
      "--enable-admission-plugins=NodeRestriction",
      "--allow-privileged=true",
      `--kubelet-client-certificate=${keys.admin.certificate}`,
      `--kubelet-client-key=${keys.admin.key}`,
      // Else logs and exec would look the node's name up.
      "--kubelet-preferred-address-types=InternalIP",
    ],
  }),
  probe: () => answers(`https://127.0.0.1:${apiPort}/readyz`, keys.admin),
});

const controllerManager = ({ programs }: NodeSpec, { pki, kubeconfigs }: NodeFiles): Component => ({
  command: [
    programs["kube-controller-manager"],
    `--kubeconfig=${kubeconfigs["kube-controller-manager"]}`,
    `--service-account-private-key-file=${pki.serviceAccounts.privateKey}`,
    `--root-ca-file=${pki.authorityFile}`,
    "--use-service-account-credentials=true",
    // At its start each of its controllers gets a token; by default that alone takes seconds.
    "--kube-api-qps=500",
    "--kube-api-burst=1000",
    "--leader-elect=false",
    "--bind-address=127.0.0.1",
    `--secure-port=${ports.controllerManager}`,
  ],
  probe: () => answers(`https://127.0.0.1:${ports.controllerManager}/healthz`),
});

const scheduler = ({ programs }: NodeSpec, { kubeconfigs }: NodeFiles): Component => ({
  command: [
    programs["kube-scheduler"],
    `--kubeconfig=${kubeconfigs["kube-scheduler"]}`,
    "--leader-elect=false",
    "--bind-address=127.0.0.1",
    `--secure-port=${ports.scheduler}`,
  ],
  probe: () => answers(`https://127.0.0.1:${ports.scheduler}/healthz`),
});

const kubelet = ({ name, programs }: NodeSpec, files: NodeFiles): Component => ({
  command: [
    programs.kubelet,
    `--config=${files.kubelet}`,
    `--kubeconfig=${files.kubeconfigs.kubelet}`,
    `--hostname-override=${name}`,
    `--node-ip=${network.node}`,
  ],
  probe: () => answers(`http://127.0.0.1:${ports.kubeletHealth}/healthz`),
});

const kubeProxy = ({ name, programs }: NodeSpec, { kubeconfigs }: NodeFiles): Component => ({
  command: [
    programs["kube-proxy"],
    `--kubeconfig=${kubeconfigs["kube-proxy"]}`,
    `--hostname-override=${name}`,
    `--cluster-cidr=${network.pods}`,
    `--healthz-bind-address=127.0.0.1:${ports.kubeProxyHealth}`,
    "--proxy-mode=nftables",
    // The table of connections is the machine's, and its size not ours to change.
    "--conntrack-max-per-core=0",
  ],
  probe: () => answers(`http://127.0.0.1:${ports.kubeProxyHealth}/healthz`),
});

/** Every write of the API server, a line each; see `auditPolicy`. */
export const auditLogOf = (folder: string): string => join(folder, "audit.log");
