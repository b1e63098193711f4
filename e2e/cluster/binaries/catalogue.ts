/** Programs by the module folder beside this file that builds them. */
export const tools = {
  kubernetes: [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
    "kubeadm",
  ],
  containerd: ["containerd", "containerd-shim-runc-v2", "ctr"],
  "cni-plugins": ["ptp", "portmap", "host-local", "loopback"],
  coredns: ["coredns"],
  "local-path-provisioner": ["local-path-provisioner"],
  kwok: ["kwok"],
  helm: ["helm"],
  "helm-unittest": ["helm-unittest"],
  kubeconform: ["kubeconform"],
  kind: ["kind"],
  crictl: ["crictl"],
} as const;

export type ToolName = keyof typeof tools;
export type BinaryName = (typeof tools)[ToolName][number];

/** Absolute path of each program. */
export type Binaries<Name extends BinaryName = BinaryName> = Readonly<Record<Name, string>>;
