import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { auditPolicy } from "../control-plane/audit-policy.ts";
import { referenceOf } from "../images/archive.ts";
import { pauseImage } from "../images/standard.ts";
import { adminRequest, type KeyFiles, Pki } from "../pki.ts";
import { kubeconfigOf, writeWhole } from "../state.ts";
import { cgroupOf } from "./cgroups.ts";
import { cniConfig, containerdConfig, kubeletConfig, network, nodeFolders } from "./config.ts";
import { dnsManifests } from "./dns.ts";
import { type NodeSpec, nodeFolderOf } from "./spec.ts";
import { provisionerConfig, storageManifests } from "./storage.ts";

const kubeconfigUsers = {
  "kube-controller-manager": { commonName: "system:kube-controller-manager" },
  "kube-scheduler": { commonName: "system:kube-scheduler" },
  "kube-proxy": { commonName: "system:kube-proxy" },
} as const;

/** What the node's programs are given: paths of files. */
export interface NodeFiles {
  readonly pki: Pki;
  /** Of both servers of the control plane, and of the API server as a client. */
  readonly keys: Readonly<Record<"etcd" | "apiServer" | "admin", KeyFiles>>;
  readonly kubeconfigs: Readonly<Record<keyof typeof kubeconfigUsers | "kubelet" | "admin", string>>;
  readonly auditPolicy: string;
  readonly containerd: string;
  readonly kubelet: string;
  readonly provisioner: string;
  /** Objects that every cluster has. */
  readonly addons: string;
}

/** Writes them anew, so that they fit the code that reads them; only the keys of the authority stay as they were. */
export async function writeNodeFiles({ name, folder, apiPort, programs }: NodeSpec): Promise<NodeFiles> {
  const pki = await Pki.open(folder);
  const server = `https://127.0.0.1:${apiPort}`;
  const write = async (file: string, text: string): Promise<string> => {
    const path = join(nodeFolderOf(folder), "etc", file);
    await mkdir(dirname(path), { recursive: true });
    await writeWhole(path, text);
    return path;
  };
  const kubeconfig = async (user: string, request: Parameters<Pki["issue"]>[0]): Promise<string> => {
    const path = await write(`${user}.kubeconfig`, "");
    await pki.writeKubeconfig(path, { cluster: name, server, user: request });
    return path;
  };
  await mkdir(nodeFolders.cniConfig, { recursive: true });
  await writeWhole(join(nodeFolders.cniConfig, "pods.conflist"), cniConfig());
  await pki.writeKubeconfig(kubeconfigOf(folder), { cluster: name, server, user: adminRequest });
  return {
    pki,
    keys: await writeKeys(pki),
    kubeconfigs: {
      admin: kubeconfigOf(folder),
      kubelet: await kubeconfig("kubelet", { commonName: `system:node:${name}`, organizations: ["system:nodes"] }),
      "kube-controller-manager": await kubeconfig(
        "kube-controller-manager",
        kubeconfigUsers["kube-controller-manager"],
      ),
      "kube-scheduler": await kubeconfig("kube-scheduler", kubeconfigUsers["kube-scheduler"]),
      "kube-proxy": await kubeconfig("kube-proxy", kubeconfigUsers["kube-proxy"]),
    },
    auditPolicy: await write("audit-policy.json", auditPolicy),
    containerd: await write("containerd.toml", containerdConfig(referenceOf(pauseImage), dirname(programs.ptp))),
    kubelet: await write(
      "kubelet.yaml",
      kubeletConfig({
        cgroup: cgroupOf(name),
        clientCa: pki.authorityFile,
      }),
    ),
    provisioner: await write("provisioner.json", provisionerConfig()),
    addons: await write(
      "addons.yaml",
      [...dnsManifests(programs.coredns), ...storageManifests].map((document) => stringify(document)).join("---\n"),
    ),
  };
}

async function writeKeys(pki: Pki): Promise<NodeFiles["keys"]> {
  const hosts = ["127.0.0.1", "localhost"];
  const names = [
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    `kubernetes.default.svc.${network.domain}`,
  ];
  return {
    etcd: await pki.write("etcd", { commonName: "etcd", hosts }),
    apiServer: await pki.write("kube-apiserver", {
      commonName: "kube-apiserver",
      hosts: [...hosts, network.node, network.firstService, ...names],
    }),
    admin: await pki.write("admin", adminRequest),
  };
}
