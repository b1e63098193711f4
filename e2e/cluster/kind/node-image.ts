import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Binaries } from "../binaries/catalogue.ts";
import type { Cluster } from "../cluster.ts";
import { takeLock } from "../state.ts";
import { run } from "./command.ts";
import type { Debian } from "./debian.ts";
import type { Engine } from "./engine.ts";
import { findKindSource, readKindImages } from "./kind-source.ts";
import { becomeNode, bootstrap, nodeBinaries } from "./node-root.ts";
import { Progress } from "./progress.ts";
import { releaseBinaries, writeRelease } from "./release.ts";

const usedBinaries = [...nodeBinaries, ...releaseBinaries, "kind"] as const;
type UsedBinaries = Binaries<(typeof usedBinaries)[number]>;

/** Files that say how the image is made. */
const recipe = ["node-image.ts", "node-root.ts", "release.ts", "kind-source.ts"];

/** Steps and their usual durations on two cores, in seconds. */
const steps = { debian: 55, kubernetes: 10, images: 20, kind: 40, keep: 10 };

export interface NodeImageOptions {
  readonly engine: Engine;
  readonly debian: Debian;
  /** Folder of the unpacked Debian packages. */
  readonly programs: string;
  readonly cache: string;
}

/**
 * Makes sure that the engine has a node image, of the same programs as the native cluster. Builds it when the cache has none
 * of this recipe, which takes about two minutes.
 * @returns its name
 */
export async function provideNodeImage(cluster: Cluster, options: NodeImageOptions): Promise<string> {
  const { signal, say } = cluster;
  const { cache } = options;
  const { env } = options.engine;
  const binaries = await cluster.binaries(usedBinaries);
  const tag = await hashOf(binaries, options.debian);
  const name = `localhost/copepod-kind-node:${tag}`;
  if ((await run(["docker", "images", "--quiet", name], { signal, env })) !== "") return name;
  await mkdir(cache, { recursive: true });
  using _ = await takeLock(join(cache, "kind-node.lock"), { say, signal, what: "the node image of kind" });
  const archive = join(cache, `kind-node-${tag}.tar`);
  if (await isThere(archive)) {
    say("loading the node image (about 10 s)");
    await run(["docker", "load", "--quiet", "--input", archive], { signal, env });
    return name;
  }
  await build(cluster, { ...options, binaries }, { name, archive });
  return name;
}

const isThere = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

async function hashOf(binaries: UsedBinaries, debian: Debian): Promise<string> {
  const hash = createHash("sha256").update(debian.codename);
  for (const name of recipe) hash.update(await readFile(join(import.meta.dirname, name)));
  for (const path of Object.values(binaries)) {
    const { size, mtimeMs } = await stat(path);
    hash.update(`${await realpath(path)} ${size} ${mtimeMs}\n`);
  }
  return hash.digest("hex").slice(0, 16);
}

interface Built {
  readonly name: string;
  readonly archive: string;
}

async function build(
  cluster: Cluster,
  options: NodeImageOptions & { readonly binaries: UsedBinaries },
  { name, archive }: Built,
): Promise<void> {
  const { signal, say } = cluster;
  const { env } = options.engine;
  const work = await mkdtemp(join(options.cache, ".kind-node-"));
  const [root, base, release] = [join(work, "root"), join(work, "base.tar"), join(work, "release.tar.gz")];
  const progress = new Progress("node image", steps, say);
  try {
    const kindSource = await findKindSource(cluster);
    const images = await readKindImages(kindSource);
    const rootOptions = { ...options, kindSource };
    await progress.step("debian", () => bootstrap(root, rootOptions, cluster));
    await progress.step("kubernetes", () => becomeNode(root, rootOptions, cluster));
    await progress.step("images", () => writeRelease(release, { ...options, images, root, work }, cluster));
    await progress.step("kind", async () => {
      await run(["tar", "--numeric-owner", "-cf", base, "-C", root, "."], { signal });
      const changes = ['ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]', "ENV container=docker"];
      const baseName = `${name}-base`;
      await run(["docker", "import", ...changes.map((change) => `--change=${change}`), base, baseName], {
        signal,
        env,
      });
      const source = ["--type=file", release, `--base-image=${baseName}`, `--image=${name}`];
      await run([options.binaries.kind, "build", "node-image", ...source], { signal, env: { ...env, TMPDIR: work } });
      await run(["docker", "image", "rm", baseName], { signal, env });
    });
    await progress.step("keep", async () => {
      const draft = join(work, "image.tar");
      await run(["docker", "save", "--output", draft, name], { signal, env });
      await rename(draft, archive);
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
