import { mkdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { kubeconfigOf } from "../cluster.ts";
import { auditPolicy } from "../control-plane/audit-policy.ts";
import { referenceOf } from "../images/archive.ts";
import { pauseImage } from "../images/standard.ts";
import { cgroupOf } from "../machine/cgroups.ts";
import { writeWhole } from "../machine/files.ts";
import type { CertificateRequest } from "../pki/certificates.ts";
import { adminRequest, type EtcdKeys, type KeyFiles, keepEtcdKeys, Pki } from "../pki/pki.ts";
import { cniConfig, containerdConfig, kubeletConfig, network, nodeFolders } from "./config.ts";
import { type NodeSpec, nodeFolderOf } from "./spec.ts";

type KubeconfigUser = "kubelet" | "kube-controller-manager" | "kube-scheduler" | "kube-proxy" | "network-policy";

/** What the node's programs are given: paths of files. */
export interface NodeFiles {
  readonly pki: Pki;
  /** Of the API server, and of it as a client of the kubelet. */
  readonly keys: Readonly<Record<"apiServer" | "admin", KeyFiles>>;
  readonly etcdKeys: EtcdKeys;
  readonly kubeconfigs: Readonly<Record<KubeconfigUser | "admin", string>>;
  readonly auditPolicy: string;
  readonly containerd: string;
  readonly kubelet: string;
}

/** Writes them anew, so that they fit the code that reads them; only certificates and keys stay as they were. */
export async function writeNodeFiles({ name, folder, apiPort, programs }: NodeSpec): Promise<NodeFiles> {
  const pki = await Pki.open(join(folder, "pki"));
  const server = `https://127.0.0.1:${apiPort}`;
  const etc = join(nodeFolderOf(folder), "etc");
  await mkdir(etc, { recursive: true });
  const write = async (file: string, text: string): Promise<string> => {
    const path = join(etc, file);
    await writeWhole(path, text);
    return path;
  };
  const kubeconfig = async (user: KubeconfigUser, request: CertificateRequest): Promise<string> => {
    const path = join(etc, `${user}.kubeconfig`);
    const { pair } = await pki.keep(request);
    await pki.writeKubeconfig(path, { cluster: name, server, user: pair });
    return path;
  };
  const component = (user: KubeconfigUser) => kubeconfig(user, { commonName: `system:${user}` });
  const keys = await keepKeys(pki);
  await pki.writeKubeconfig(kubeconfigOf(folder), { cluster: name, server, user: keys.admin.pair });
  await mkdir(nodeFolders.cniConfig, { recursive: true });
  await writeWhole(join(nodeFolders.cniConfig, "pods.conflist"), cniConfig());
  await symlink(dirname(programs.coredns), nodeFolders.coredns);
  return {
    pki,
    keys,
    etcdKeys: await keepEtcdKeys(folder),
    kubeconfigs: {
      admin: kubeconfigOf(folder),
      kubelet: await kubeconfig("kubelet", { commonName: `system:node:${name}`, organizations: ["system:nodes"] }),
      "kube-controller-manager": await component("kube-controller-manager"),
      "kube-scheduler": await component("kube-scheduler"),
      "kube-proxy": await component("kube-proxy"),
      "network-policy": await kubeconfig("network-policy", { commonName: "network-policy" }),
    },
    auditPolicy: await write("audit-policy.json", auditPolicy),
    containerd: await write("containerd.toml", containerdConfig(referenceOf(pauseImage), dirname(programs.ptp))),
    kubelet: await write("kubelet.yaml", kubeletConfig({ cgroup: cgroupOf(name), clientCa: pki.authorityFile })),
  };
}

async function keepKeys(pki: Pki) {
  const hosts = ["127.0.0.1", "localhost"];
  const service = ["", ".default", ".default.svc", `.default.svc.${network.domain}`].map((rest) => `kubernetes${rest}`);
  return {
    apiServer: await pki.keep({
      commonName: "kube-apiserver",
      hosts: [...hosts, network.node, network.firstService, ...service],
    }),
    admin: await pki.keep(adminRequest),
  };
}
