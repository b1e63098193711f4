import { join } from "node:path";
import { stringify } from "yaml";

/** What a machine can't do, and the node of an own engine does without. */
export interface Limits {
  readonly cgroupV1: boolean;
  /** Nobody can lower a process's score for the out-of-memory killer then; containerd tries. */
  readonly noSysResource: boolean;
}

export interface KindConfig {
  /** Holds the audit policy and gets the log. */
  readonly auditFolder: string;
  /** Set when the node image is not an official one. */
  readonly ownImage: Limits | undefined;
}

export const auditFiles = { policy: "policy.json", log: "audit.log" } as const;

/** The file that `kind create cluster --config` reads. */
export const kindConfig = ({ auditFolder, ownImage }: KindConfig): string =>
  stringify({
    kind: "Cluster",
    apiVersion: "kind.x-k8s.io/v1alpha4",
    nodes: [{ role: "control-plane", extraMounts: [{ hostPath: auditFolder, containerPath: auditMount }] }],
    kubeadmConfigPatches: [audit, ...(ownImage?.cgroupV1 ? [allowCgroupV1] : [])].map((patch) => stringify(patch)),
    ...(ownImage && {
      // Its node has a static network instead of kindnetd, and the tools of nftables only.
      networking: { disableDefaultCNI: true, kubeProxyMode: "nftables" },
      containerdConfigPatches: ownImage.noSysResource ? [restrictScores] : [],
    }),
  });

const auditMount = "/etc/copepod-audit";

/** For kubeadm's v1beta3, which kind uses up to Kubernetes 1.35; arguments are a list later on. */
const audit = {
  kind: "ClusterConfiguration",
  apiServer: {
    extraArgs: {
      "audit-policy-file": join(auditMount, auditFiles.policy),
      "audit-log-path": join(auditMount, auditFiles.log),
    },
    extraVolumes: [{ name: "audit", hostPath: auditMount, mountPath: auditMount, pathType: "Directory" }],
  },
};

/** The kubelet refuses to start on version 1 unless it is told not to. */
const allowCgroupV1 = { kind: "KubeletConfiguration", failCgroupV1: false };

const restrictScores = '[plugins."io.containerd.grpc.v1.cri"]\nrestrict_oom_score_adj = true\n';
