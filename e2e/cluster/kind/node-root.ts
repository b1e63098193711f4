import {
  appendFile,
  chmod,
  copyFile,
  cp,
  glob,
  mkdir,
  readdir,
  realpath,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import type { Binaries, BinaryName } from "../binaries/catalogue.ts";
import type { Cluster } from "../cluster.ts";
import { cniConfig } from "../native/config.ts";
import type { Debian } from "./debian.ts";
import { run } from "./run.ts";

/** Of what kind's own base image has: what this image's node uses. */
const packages = [
  "systemd",
  ...["conntrack", "iptables", "nftables", "iproute2", "ethtool", "util-linux", "mount", "kmod"],
  ...["libseccomp2", "runc", "bash", "jq", "procps"],
];

const services = ["kubelet", "containerd", "undo-mount-hacks"];
/** Units that do something to a machine. This and the rest is what kind's recipe for its base image does. */
const unwanted = [
  "etc/systemd/system/*.wants",
  "lib/systemd/system/{multi-user,local-fs,basic}.target.wants/*",
  "lib/systemd/system/sockets.target.wants/*{udev,initctl}*",
  "lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
];
/** Folders with what a container has no use for. */
const emptied = ["usr/share/{doc,man,locale}", "var/cache/apt", "var/lib/apt/lists", "var/log"];
/** Would register interpreters with the kernel that all containers share. */
const masked = "systemd-binfmt.service";

/** What every container of a node starts from: the runtime's default with a hook of kind's, and without limits. */
const makeCriBase = `
hook='{"path": "/kind/bin/mount-product-files.sh"}'
ctr oci spec | jq ".hooks.createContainer += [$hook] | del(.process.rlimits)" > /etc/containerd/cri-base.json
`;

const nodePrograms = [
  ...(["kubeadm", "kubelet", "kubectl"] as const),
  ...(["containerd", "containerd-shim-runc-v2", "ctr", "crictl"] as const),
] as const satisfies readonly BinaryName[];
const cniPrograms = ["ptp", "portmap", "host-local", "loopback"] as const satisfies readonly BinaryName[];
export const nodeBinaries = [...nodePrograms, ...cniPrograms] as const;

export interface BootstrapOptions {
  readonly debian: Debian;
  /** Folder of the unpacked Debian packages. */
  readonly programs: string;
}

export interface NodeOptions {
  /** Folder of kind's source. */
  readonly kindSource: string;
  readonly binaries: Binaries<(typeof nodeBinaries)[number]>;
}

/** Makes a Debian system with systemd in the folder. Takes about a minute. */
export async function bootstrap(
  root: string,
  { debian, programs }: BootstrapOptions,
  { signal }: Cluster,
): Promise<void> {
  // Each package would be flushed to the disk; a system that is made halfway is not kept anyway.
  await mkdir(join(root, "etc/dpkg/dpkg.cfg.d"), { recursive: true });
  await writeFile(join(root, "etc/dpkg/dpkg.cfg.d/fast"), "force-unsafe-io\n");
  const debootstrap = join(programs, "usr/sbin/debootstrap");
  const env = { DEBOOTSTRAP_DIR: join(programs, "usr/share/debootstrap") };
  const options = ["--variant=minbase", `--include=${packages.join(",")}`];
  // It mounts file systems in the root folder; these end with its namespaces, even when it is killed.
  const alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"] as const;
  await run([...alone, debootstrap, ...options, debian.codename, root, debian.mirror], { signal, env });
}

/** Does to the Debian system what kind's recipe for its base image does. */
export async function becomeNode(root: string, options: NodeOptions, { signal }: Cluster): Promise<void> {
  const inRoot = (path: string) => join(root, path);
  for (const pattern of [...unwanted, ...emptied])
    for await (const path of glob(pattern, { cwd: root })) await rm(inRoot(path), { recursive: true });
  await cp(join(options.kindSource, "images/base/files"), root, { recursive: true });
  for (const folder of ["usr/local/bin", "kind/bin"]) await makeExecutable(inRoot(folder));
  for (const folder of ["etc/kubernetes/manifests", "etc/cni/net.d", "opt/cni/bin", "var/log"])
    await mkdir(inRoot(folder), { recursive: true });
  await install(options.binaries, nodePrograms, inRoot("usr/local/bin"));
  await install(options.binaries, cniPrograms, inRoot("opt/cni/bin"));
  await writeFile(inRoot("etc/cni/net.d/10-pods.conflist"), cniConfig());
  await run(["chroot", root, "/bin/sh", "-euc", makeCriBase], { signal });
  await enableServices(inRoot("etc/systemd/system"));
  await symlink("/lib/systemd/systemd", inRoot("sbin/init"));
  await appendFile(inRoot("etc/systemd/journald.conf"), "ReadKMsg=no\n");
  // Each node makes an identity of its own.
  await writeFile(inRoot("etc/machine-id"), "");
  await rm(inRoot("var/lib/dbus/machine-id"), { force: true });
}

async function enableServices(units: string): Promise<void> {
  const wants = join(units, "multi-user.target.wants");
  await mkdir(wants, { recursive: true });
  for (const service of services)
    await symlink(`/etc/systemd/system/${service}.service`, join(wants, `${service}.service`));
  await symlink("/dev/null", join(units, masked));
}

async function makeExecutable(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await chmod(join(folder, name), 0o755);
}

/** Programs that are one file here are one file there. */
export async function install<Name extends BinaryName>(
  binaries: Binaries<Name>,
  names: readonly Name[],
  folder: string,
): Promise<void> {
  const installed = new Map<string, string>();
  for (const name of names) {
    const source = await realpath(binaries[name]);
    const same = installed.get(source);
    if (same === undefined) await copyFile(source, join(folder, name));
    else await symlink(same, join(folder, name));
    installed.set(source, same ?? name);
  }
}
