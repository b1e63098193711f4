import { join } from "node:path";
import type { Binaries, BinaryName } from "./binaries/catalogue.ts";
import type { PackageName, Packages } from "./machine/packages.ts";
import type { Say } from "./machine/say.ts";

/** What a provider makes a cluster with. */
export interface Cluster {
  /** A short DNS label: good for cgroups, interfaces and containers. */
  readonly name: string;
  /** Holds all that belongs to the cluster, mode 0700. Removed by `down`, after the provider has left nothing else. */
  readonly folder: string;
  readonly say: Say;
  /** Aborted by Ctrl-C. Whatever was started by then is recorded, so that the next `up` or `down` goes on from there. */
  readonly signal: AbortSignal;
  /** Finds programs, or builds them. @throws CopepodError `notFound` that says what to install */
  binaries<Name extends BinaryName>(names: readonly Name[]): Promise<Binaries<Name>>;
  /** Makes sure that Debian packages are there. @throws CopepodError `notFound` that names the missing ones */
  packages<Name extends PackageName>(names: readonly Name[]): Promise<Packages<Name>>;
}

export interface Part {
  readonly name: string;
  readonly state: "running" | "ended";
  /** A process id, a container, or why it ended: for people. */
  readonly detail?: string;
}

export interface ClusterStatus {
  /** `broken`: there is something of it, but it does not serve; `up` mends it. */
  readonly state: "up" | "broken" | "down";
  readonly parts: readonly Part[];
}

/** One way to have a cluster. Every method may be repeated, and goes on from whatever state an earlier one left. */
export interface Provider {
  readonly name: ProviderName;
  /** Resolves when the cluster serves and the kubeconfig at `kubeconfigOf(folder)` leads to it. */
  up(cluster: Cluster): Promise<void>;
  /** Leaves nothing outside the folder: no process, mount, interface, cgroup or container. */
  down(cluster: Cluster): Promise<void>;
  status(cluster: Cluster): Promise<ClusterStatus>;
  /** Makes an image of a `docker save` archive, or of the engine, known to the nodes. */
  load?(cluster: Cluster, image: string): Promise<void>;
  /** Words that go before a command, so that it reaches the cluster's network. */
  enter?(cluster: Cluster): Promise<readonly string[]>;
}

export const providerNames = ["kind", "native", "control-plane", "kubeconfig"] as const;
export type ProviderName = (typeof providerNames)[number];

export const kubeconfigOf = (folder: string): string => join(folder, "kubeconfig");
