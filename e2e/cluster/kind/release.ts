import { cp, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Binaries, BinaryName } from "../binaries/catalogue.ts";
import type { Cluster } from "../cluster.ts";
import { type Image, writeImageArchive } from "../images/archive.ts";
import type { KindImages } from "./kind-source.ts";
import { install } from "./node-root.ts";
import { run } from "./run.ts";

const controlPlane = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kube-proxy",
] as const satisfies readonly BinaryName[];
export const releaseBinaries = [
  ...controlPlane,
  ...(["kubeadm", "kubelet", "coredns", "local-path-provisioner", "pause"] as const),
] as const satisfies readonly BinaryName[];

const version = /v\d+\.\d+\.\d+\S*/;

export interface ReleaseOptions {
  readonly binaries: Binaries<(typeof releaseBinaries)[number]>;
  readonly images: KindImages;
  /** Root folder of a Debian system, from which images take small programs and their libraries. */
  readonly root: string;
  /** For what is needed only meanwhile. */
  readonly work: string;
}

/**
 * Writes what `kind build node-image --type file` reads: an archive like those of Kubernetes' releases. It has four archives of
 * images; as kind takes all names that these have, they are good for the images that it would download, too.
 */
export async function writeRelease(file: string, options: ReleaseOptions, cluster: Cluster): Promise<void> {
  const { binaries, work } = options;
  const { signal } = cluster;
  const folder = join(work, "release");
  const bin = join(folder, "kubernetes/server/bin");
  await mkdir(bin, { recursive: true });
  const [kubernetes = ""] = version.exec(await run([binaries.kubelet, "--version"], { signal })) ?? [];
  await writeFile(join(folder, "kubernetes/version"), kubernetes);
  // The base image has the programs; these are only where kind puts them.
  for (const name of ["kubeadm", "kubelet", "kubectl"])
    await writeFile(join(bin, name), `#!/bin/sh\nexec /usr/local/bin/${name} "$@"\n`);
  const list = ["config", "images", "list", `--kubernetes-version=${kubernetes}`];
  const required = (await run([binaries.kubeadm, ...list], { signal })).trim().split("\n");
  for (const { name, tags, image } of await imagesOf(options, required, cluster)) {
    const archive = await writeImageArchive({ name, tag: "1", ...image }, work);
    await rename(archive, tags, join(bin, `${name}.tar`), cluster);
  }
  await run(["tar", "--use-compress-program=gzip -1", "-cf", file, "-C", folder, "kubernetes"], { signal });
}

interface ReleaseImage {
  readonly name: "kube-apiserver" | "kube-controller-manager" | "kube-scheduler" | "kube-proxy";
  readonly tags: readonly string[];
  readonly image: Pick<Image, "files" | "entrypoint" | "env">;
}

/** @param required names that kubeadm wants */
async function imagesOf(
  { binaries, images, root, work }: ReleaseOptions,
  required: readonly string[],
  cluster: Cluster,
): Promise<readonly ReleaseImage[]> {
  const named = (pattern: RegExp) => required.filter((name) => pattern.test(name));
  const [kubernetes, storage] = [join(work, "kubernetes"), join(work, "storage")];
  await mkdir(join(kubernetes, "usr/local/bin"), { recursive: true });
  await install(binaries, controlPlane, join(kubernetes, "usr/local/bin"));
  await copyPrograms(root, ["/usr/sbin/nft"], kubernetes, cluster);
  await copyPrograms(root, ["/bin/sh", "/bin/mkdir", "/bin/rm"], storage, cluster);
  const env = { PATH: "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };
  const provisioner = { "/bin/local-path-provisioner": binaries["local-path-provisioner"] };
  return [
    { name: "kube-apiserver", tags: named(/kube-|etcd/), image: { files: { "/": kubernetes }, entrypoint: [], env } },
    {
      name: "kube-controller-manager",
      tags: named(/coredns/),
      image: { files: { "/coredns": binaries.coredns }, entrypoint: ["/coredns"] },
    },
    {
      name: "kube-scheduler",
      tags: [images.storageProvisioner, images.storageHelper],
      image: { files: { "/": storage, ...provisioner }, entrypoint: [], env },
    },
    {
      name: "kube-proxy",
      // Nothing runs under the network's name: the node has a static network.
      tags: [...new Set([images.pause, ...named(/pause/), images.network])],
      image: { files: { "/pause": binaries.pause }, entrypoint: ["/pause"] },
    },
  ];
}

/** Copies programs of a system with all libraries that they load. */
async function copyPrograms(root: string, programs: readonly string[], target: string, { signal }: Cluster) {
  for (const program of programs) {
    const libraries = await run(["chroot", root, "ldd", program], { signal });
    const files = [program, ...Array.from(libraries.matchAll(/(\/\S+) \(0x/g), ([, path = ""]) => path)];
    for (const file of files) {
      await mkdir(dirname(join(target, file)), { recursive: true });
      await cp(join(root, file), join(target, file), { dereference: true });
    }
  }
}

const manifestSchema = z.tuple([z.looseObject({ RepoTags: z.array(z.string()) })]);

/** Writes an image to an archive that gives it other names. */
async function rename(archive: string, tags: readonly string[], file: string, { signal }: Cluster): Promise<void> {
  const folder = `${archive}.content`;
  await mkdir(folder);
  await run(["tar", "-xf", archive, "-C", folder], { signal });
  const manifest = join(folder, "manifest.json");
  const [image] = manifestSchema.parse(JSON.parse(await readFile(manifest, "utf8")));
  await writeFile(manifest, JSON.stringify([{ ...image, RepoTags: tags }]));
  // kind finds the names in a file that is called so, not in one in the folder “.”.
  await run(["tar", "-cf", file, "-C", folder, ...(await readdir(folder))], { signal });
}
