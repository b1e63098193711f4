import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readdir, realpath, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";

export interface Image {
  /** With its host, such as `localhost/busybox`: engines then add none of their own. */
  readonly name: string;
  readonly tag: string;
  /** Path in the image → file or folder on this machine; a whole root file system is at `/`. */
  readonly files: Readonly<Record<string, string>>;
  /** Empty: the pod says what to run. */
  readonly entrypoint: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A number, so that the kubelet can see that it is not root. Root when it is left out. */
  readonly user?: string;
  readonly workdir?: string;
}

/** What `image:` of a pod says. */
export const referenceOf = ({ name, tag }: Pick<Image, "name" | "tag">): string => `${name}:${tag}`;

/**
 * Writes an image for this machine's processor, in one layer, as the archive that `docker load`, `kind load image-archive` and
 * `ctr images import` take. All files belong to root and are readable by everyone; the same files give the same bytes.
 * @returns the path of the archive, in the folder
 */
export async function writeImageArchive(image: Image, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, ".image-"));
  try {
    const [root, content] = [join(work, "root"), join(work, "content")];
    await mkdir(content);
    await stage(image.files, root);
    const layer = join(content, "layer.tar");
    await pack(root, layer);
    const config = JSON.stringify(configOf(image, await sha256(layer)));
    const configFile = `${createHash("sha256").update(config).digest("hex")}.json`;
    await writeFile(join(content, configFile), config);
    await writeFile(
      join(content, "manifest.json"),
      JSON.stringify([{ Config: configFile, RepoTags: [referenceOf(image)], Layers: ["layer.tar"] }]),
    );
    const finished = join(work, "image.tar");
    await pack(content, finished);
    const archive = join(folder, `${basename(image.name)}-${image.tag}.tar`);
    await rename(finished, archive);
    return archive;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function stage(files: Image["files"], root: string): Promise<void> {
  await makeFolder(root, root);
  for (const [inImage, source] of Object.entries(files)) {
    const target = join(root, inImage);
    await makeFolder(dirname(target), root);
    await cp(await realpath(source), target, { recursive: true, verbatimSymlinks: true });
  }
}

/** The mode is set by itself, because `mkdir` heeds the umask of who happens to run this. */
async function makeFolder(folder: string, root: string): Promise<void> {
  if (relative(root, folder).startsWith("..")) return;
  await makeFolder(dirname(folder), root);
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o755);
}

const reproducible = ["--format=gnu", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];

/** Entries are named without a leading `./`, because kind looks for exactly `manifest.json`. */
async function pack(folder: string, archive: string): Promise<void> {
  const names = (await readdir(folder)).sort();
  await promisify(execFile)("tar", ["-cf", archive, ...reproducible, "--mode=a+rX", "-C", folder, "--", ...names]);
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}

const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

const configOf = (image: Image, layerHash: string): object => ({
  architecture: architectures[process.arch] ?? process.arch,
  os: "linux",
  created: new Date(0).toISOString(),
  config: {
    Entrypoint: image.entrypoint,
    Env: Object.entries(image.env ?? {}).map(([name, value]) => `${name}=${value}`),
    User: image.user,
    WorkingDir: image.workdir,
  },
  rootfs: { type: "layers", diff_ids: [`sha256:${layerHash}`] },
});
