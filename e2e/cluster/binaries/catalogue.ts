/** A module folder of this name, beside this file, pins what each tool is built from. */
export interface Tool {
  /** Its version in go.mod is the tool's. A program of our own has none. */
  readonly module?: string;
  /** Package of each program. One string: a single program that is all of `names`, by the name that it is called by. */
  readonly packages: string | Readonly<Record<string, string>>;
  readonly tags?: readonly string[];
  /** Values of variables that the linker sets. Without them the program doesn't know its version. */
  readonly stamp?: (version: string) => Readonly<Record<string, string>>;
}

/** How a program tells its version. */
export interface VersionProbe {
  readonly args: readonly string[];
  readonly module: string;
}

const kubernetesVersion = (version: string): Record<string, string> => {
  const [major = "", minor = ""] = version.slice(1).split(".");
  const variable = "k8s.io/component-base/version";
  return { [`${variable}.gitVersion`]: version, [`${variable}.gitMajor`]: major, [`${variable}.gitMinor`]: minor };
};

const containerd = "github.com/containerd/containerd/v2";
const cniPlugins = "github.com/containernetworking/plugins";

export const tools = {
  kubernetes: { module: "k8s.io/kubernetes", packages: ".", stamp: kubernetesVersion },
  containerd: {
    module: containerd,
    packages: {
      containerd: `${containerd}/cmd/containerd`,
      "containerd-shim-runc-v2": `${containerd}/cmd/containerd-shim-runc-v2`,
      ctr: `${containerd}/cmd/ctr`,
    },
    tags: ["no_btrfs", "no_devmapper", "no_zfs"],
    stamp: (version) => ({ [`${containerd}/version.Version`]: version }),
  },
  "cni-plugins": {
    module: cniPlugins,
    packages: {
      ptp: `${cniPlugins}/plugins/main/ptp`,
      loopback: `${cniPlugins}/plugins/main/loopback`,
      portmap: `${cniPlugins}/plugins/meta/portmap`,
      "host-local": `${cniPlugins}/plugins/ipam/host-local`,
    },
    stamp: (version) => ({ [`${cniPlugins}/pkg/utils/buildversion.BuildVersion`]: version }),
  },
  coredns: { module: "github.com/coredns/coredns", packages: { coredns: "github.com/coredns/coredns" } },
  "local-path-provisioner": {
    module: "github.com/rancher/local-path-provisioner",
    packages: { "local-path-provisioner": "github.com/rancher/local-path-provisioner" },
    stamp: (version) => ({ "main.VERSION": version }),
  },
  kwok: { module: "sigs.k8s.io/kwok", packages: { kwok: "sigs.k8s.io/kwok/cmd/kwok" } },
  helm: {
    module: "helm.sh/helm/v4",
    packages: { helm: "helm.sh/helm/v4/cmd/helm" },
    stamp: (version) => ({ "helm.sh/helm/v4/internal/version.version": version }),
  },
  "helm-unittest": {
    module: "github.com/helm-unittest/helm-unittest",
    packages: { "helm-unittest": "github.com/helm-unittest/helm-unittest/cmd/helm-unittest" },
  },
  kubeconform: {
    module: "github.com/yannh/kubeconform",
    packages: { kubeconform: "github.com/yannh/kubeconform/cmd/kubeconform" },
    stamp: (version) => ({ "main.version": version }),
  },
  kind: { module: "sigs.k8s.io/kind", packages: { kind: "sigs.k8s.io/kind" } },
  crictl: {
    module: "sigs.k8s.io/cri-tools",
    packages: { crictl: "sigs.k8s.io/cri-tools/cmd/crictl" },
    stamp: (version) => ({ "sigs.k8s.io/cri-tools/pkg/version.Version": version }),
  },
  pause: { packages: "." },
} satisfies Record<string, Tool>;
export type ToolName = keyof typeof tools;

const kubernetesProgram = { tool: "kubernetes", probe: { args: ["--version"], module: "k8s.io/kubernetes" } } as const;
const containerdProgram = { tool: "containerd", probe: { args: ["--version"], module: containerd } } as const;
const cniPlugin = { tool: "cni-plugins" } as const;

/** Every program, the tool that it belongs to, and how one that is there already tells its version. */
export const programs = {
  etcd: { tool: "kubernetes", probe: { args: ["--version"], module: "go.etcd.io/etcd/server/v3" } },
  "kube-apiserver": kubernetesProgram,
  "kube-controller-manager": kubernetesProgram,
  "kube-scheduler": kubernetesProgram,
  kubelet: kubernetesProgram,
  "kube-proxy": kubernetesProgram,
  kubectl: { tool: "kubernetes", probe: { args: ["version", "--client"], module: "k8s.io/kubernetes" } },
  kubeadm: { tool: "kubernetes", probe: { args: ["version", "-o", "short"], module: "k8s.io/kubernetes" } },
  containerd: containerdProgram,
  "containerd-shim-runc-v2": { tool: "containerd", probe: { args: ["-v"], module: containerd } },
  ctr: containerdProgram,
  ptp: cniPlugin,
  loopback: cniPlugin,
  portmap: cniPlugin,
  "host-local": cniPlugin,
  coredns: { tool: "coredns", probe: { args: ["-version"], module: "github.com/coredns/coredns" } },
  "local-path-provisioner": { tool: "local-path-provisioner" },
  kwok: { tool: "kwok", probe: { args: ["--version"], module: "sigs.k8s.io/kwok" } },
  helm: { tool: "helm", probe: { args: ["version", "--short"], module: "helm.sh/helm/v4" } },
  "helm-unittest": { tool: "helm-unittest" },
  kubeconform: { tool: "kubeconform", probe: { args: ["-v"], module: "github.com/yannh/kubeconform" } },
  kind: { tool: "kind", probe: { args: ["version"], module: "sigs.k8s.io/kind" } },
  crictl: { tool: "crictl", probe: { args: ["--version"], module: "sigs.k8s.io/cri-tools" } },
  pause: { tool: "pause" },
} as const satisfies Record<string, { readonly tool: ToolName; readonly probe?: VersionProbe }>;

export type BinaryName = keyof typeof programs;

export const isProgram = (name: string): name is BinaryName => Object.hasOwn(programs, name);

/** Absolute path of each program. */
export type Binaries<Name extends BinaryName = BinaryName> = Readonly<Record<Name, string>>;
