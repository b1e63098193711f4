import { stringify } from "yaml";

/** A node is alone in its network namespace, so every cluster has the same addresses. */
export const network = {
  node: "10.200.0.1",
  nodePrefix: 24,
  pods: "10.244.0.0/24",
  services: "10.96.0.0/16",
  /** The Service of the API server has the first of these. */
  firstService: "10.96.0.1",
  /** As in `addons.yaml`. */
  dnsService: "10.96.0.10",
  domain: "cluster.local",
} as const;

/** Folders as the node sees them: its /run, /var/lib and /var/log are its own. */
export const nodeFolders = {
  cniConfig: "/run/cni/net.d",
  /** On a file system that a new start of the node finds empty: addresses of pods that died with it are free again. */
  cniAddresses: "/run/cni/addresses",
  containerd: "/var/lib/containerd",
  kubelet: "/var/lib/kubelet",
  /** A link to where the program is, for the pod that runs it; see `addons.yaml`. */
  coredns: "/run/coredns",
} as const;

export const containerdSocket = "/run/containerd/containerd.sock";

/** Arguments of `ctr` before the archive; the kubelet sees the images of this namespace. */
export const imageImport = ["--address", containerdSocket, "--namespace", "k8s.io", "images", "import"] as const;

export const ports = {
  etcd: 2379,
  etcdPeer: 2380,
  kubeletHealth: 10_248,
  controllerManager: 10_257,
  scheduler: 10_259,
  kubeProxyHealth: 10_256,
};

export const containerdConfig = (pauseImage: string, cniPrograms: string): string => `version = 3
root = "${nodeFolders.containerd}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
address = "${containerdSocket}"

[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "${pauseImage}"

# Without CAP_SYS_RESOURCE nobody can lower the score, and then no container would start.
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
# Its profile would stay in the machine's kernel.
disable_apparmor = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["${cniPrograms}"]
conf_dir = "${nodeFolders.cniConfig}"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
`;

/** `ptp` routes, so that the traffic between pods passes the forward hook, where policies are enforced. */
export const cniConfig = (): string =>
  JSON.stringify({
    cniVersion: "1.0.0",
    name: "pods",
    plugins: [
      {
        type: "ptp",
        ipMasq: false,
        ipam: {
          type: "host-local",
          dataDir: nodeFolders.cniAddresses,
          ranges: [[{ subnet: network.pods }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  });

export interface KubeletOptions {
  /** Absolute, below the root of every cgroup hierarchy. */
  readonly cgroup: string;
  readonly clientCa: string;
}

export const kubeletConfig = ({ cgroup, clientCa }: KubeletOptions): string =>
  stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: clientCa },
    },
    authorization: { mode: "Webhook" },
    healthzBindAddress: "127.0.0.1",
    healthzPort: ports.kubeletHealth,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: cgroup,
    cgroupsPerQOS: true,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    clusterDomain: network.domain,
    clusterDNS: [network.dnsService],
    // Pods know the cluster's names only.
    resolvConf: "",
    volumePluginDir: `${nodeFolders.kubelet}/plugins`,
    staticPodPath: "",
    // A developer's disk may be fuller than a server's: nothing is evicted or deleted for that.
    evictionHard: { "nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "50Mi" },
    imageGCHighThresholdPercent: 100,
    imageMinimumGCAge: "2m",
    serializeImagePulls: false,
  });
