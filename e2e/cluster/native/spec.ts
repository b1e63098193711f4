import { join } from "node:path";
import { z } from "zod";

/** Programs that run on a node. */
export const programNames = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubelet",
  "kube-proxy",
  "kubectl",
  "containerd",
  "containerd-shim-runc-v2",
  "ctr",
  "ptp",
  "portmap",
  "host-local",
  "loopback",
  "coredns",
  "local-path-provisioner",
] as const;

/** What the process that becomes the node is told, in a file. */
const specSchema = z.strictObject({
  name: z.string(),
  /** The cluster's. */
  folder: z.string(),
  /** On loopback, of the node's network and of the machine's: so one kubeconfig is good for both. */
  apiPort: z.int(),
  /** Absolute paths. */
  programs: z.record(z.enum(programNames), z.string()),
  /** Archives of the images that every node has. */
  images: z.array(z.string()),
});
export type NodeSpec = z.infer<typeof specSchema>;

/** The part of a spec that all starts of a cluster have in common. @returns undefined when other code wrote it */
export const parseApiPort = (text: string): number | undefined =>
  z.object({ apiPort: z.int() }).safeParse(JSON.parse(text)).data?.apiPort;

export const parseSpec = (text: string): NodeSpec => specSchema.parse(JSON.parse(text));

/** All that must be ready before the cluster is: programs that run on the node, and steps that are done once. */
export const parts = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "containerd",
  "images",
  "kubelet",
  "kube-proxy",
  "network-policy",
  "addons",
  "local-path-provisioner",
  "node",
  "dns",
] as const;
export type NodePart = (typeof parts)[number];

/** The name of the log that tells why a part is not ready: steps write into the node's own. */
export const logNameOf = (part: NodePart): string => (isStep(part) ? nodeProcess : part);
const isStep = (part: NodePart): boolean => ["images", "addons", "node", "dns"].includes(part);

/** `restarting`: it was ready before, or has ended before it was. */
const progressSchema = z.enum(["starting", "ready", "restarting"]);
export type Progress = z.infer<typeof progressSchema>;

/** How far the node is with each of its parts, all of which are there from the first moment on. */
const statusSchema = z.record(z.enum(parts), progressSchema);
export type NodeStatus = z.infer<typeof statusSchema>;

export const startingStatus = (): NodeStatus =>
  statusSchema.parse(Object.fromEntries(parts.map((part) => [part, "starting"])));

/** @returns undefined when a node of other code wrote it */
export const parseStatus = (text: string): NodeStatus | undefined => statusSchema.safeParse(JSON.parse(text)).data;

/** Holds the namespaces; its only child is their first process. */
export const nodeProcess = "node";

/** What the node keeps of its own in the cluster's folder. */
export const nodeFolderOf = (folder: string): string => join(folder, "node");
export const specFileOf = (folder: string): string => join(nodeFolderOf(folder), "spec.json");
/** Written anew with each change. */
export const statusFileOf = (folder: string): string => join(nodeFolderOf(folder), "status.json");
