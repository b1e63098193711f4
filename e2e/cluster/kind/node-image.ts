import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Binaries } from "../binaries/catalogue.ts";
import type { Cluster } from "../cluster.ts";
import { takeLock } from "../machine/lock.ts";
import { prune } from "../machine/prune.ts";
import { cniConfig } from "../native/config.ts";
import type { Debian } from "./debian.ts";
import type { Engine } from "./engine.ts";
import { findKindSource, readKindImages } from "./kind-source.ts";
import { becomeNode, bootstrap, nodeBinaries } from "./node-root.ts";
import { releaseBinaries, writeRelease } from "./release.ts";
import { run } from "./run.ts";

const usedBinaries = [...nodeBinaries, ...releaseBinaries, "kind"] as const;
type UsedBinaries = Binaries<(typeof usedBinaries)[number]>;

/** Files that say how the image is made. */
const recipe = ["node-image.ts", "node-root.ts", "release.ts", "kind-source.ts"];

/** What is done one after the other, and how many seconds it takes on two cores. */
const steps = { "a Debian system": 40, "made into a node": 5, "images in it": 15, "kind's own recipe": 35, kept: 10 };
type Step = keyof typeof steps;

/** What the files can't say. */
const baseChanges = [
  '--change=ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
  // systemd looks for it.
  "--change=ENV container=docker",
];

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
  if (existsSync(archive)) {
    say("loading the node image (about 10 s)");
    await run(["docker", "load", "--quiet", "--input", archive], { signal, env });
    return name;
  }
  await build(cluster, { ...options, binaries }, { name, archive });
  return name;
}

async function hashOf(binaries: UsedBinaries, debian: Debian): Promise<string> {
  const hash = createHash("sha256").update(`${debian.codename} ${cniConfig()}`);
  for (const name of recipe) hash.update(await readFile(join(import.meta.dirname, name)));
  // What we have built is in folders that are called by what it was built from.
  for (const path of Object.values(binaries)) hash.update(`${await realpath(path)} ${(await stat(path)).size}\n`);
  return hash.digest("hex").slice(0, 16);
}

async function build(
  cluster: Cluster,
  options: NodeImageOptions & { readonly binaries: UsedBinaries },
  { name, archive }: { readonly name: string; readonly archive: string },
): Promise<void> {
  const { signal, say } = cluster;
  const { env } = options.engine;
  const work = join(options.cache, "kind-node.draft");
  // Of a build that was killed; there is only one at a time.
  await rm(work, { recursive: true, force: true });
  await mkdir(work);
  const [root, base, release] = [join(work, "root"), join(work, "base.tar"), join(work, "release.tar.gz")];
  const step = (name: Step) => say(`node image: ${name} (about ${secondsFrom(name)} s left)`);
  try {
    const kindSource = await findKindSource(cluster);
    const images = await readKindImages(kindSource);
    step("a Debian system");
    await bootstrap(root, options, cluster);
    step("made into a node");
    await becomeNode(root, { kindSource, binaries: options.binaries }, cluster);
    step("images in it");
    await writeRelease(release, { binaries: options.binaries, images, root, work }, cluster);
    step("kind's own recipe");
    await run(["tar", "--numeric-owner", "-cf", base, "-C", root, "."], { signal });
    await run(["docker", "import", ...baseChanges, base, `${name}-base`], { signal, env });
    const words = ["build", "node-image", "--type=file", release, `--base-image=${name}-base`, `--image=${name}`];
    await run([options.binaries.kind, ...words], { signal, env: { ...env, TMPDIR: work } });
    await run(["docker", "image", "rm", `${name}-base`], { signal, env });
    step("kept");
    const draft = join(work, "image.tar");
    await run(["docker", "save", "--output", draft, name], { signal, env });
    await rename(draft, archive);
    await prune(options.cache, { pattern: /^kind-node-[0-9a-f]{16}\.tar$/, keep: basename(archive) });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function secondsFrom(first: Step): number {
  const all = Object.entries(steps);
  return all.slice(all.findIndex(([name]) => name === first)).reduce((sum, [, seconds]) => sum + seconds, 0);
}
