import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import type { Cluster } from "../cluster.ts";
import { run } from "./command.ts";

/** Not installed, since the engine's package starts a service and removes other engines; only unpacked. */
const unpacked = ["docker.io", "containerd", "tini", "debootstrap"] as const;

export interface Debian {
  /** Such as `bookworm`. */
  readonly codename: string;
  /** Where this machine gets its packages from. */
  readonly mirror: string;
}

const release = /^(?<codename>[a-z]+) (?<mirror>[a-z]+:\S+)$/m;

/** @throws CopepodError `unavailable` on another system */
export async function readDebian({ signal }: Pick<Cluster, "signal">): Promise<Debian> {
  const filter = ["Created-By: Packages", "Origin: Debian", "Component: main"];
  const targets = run(["apt-get", "indextargets", "--format", "$(CODENAME) $(SITE)", ...filter], { signal });
  // Updates have a codename with a dash.
  const { codename, mirror } = release.exec(await targets.catch(() => ""))?.groups ?? {};
  if (codename !== undefined && mirror !== undefined) return { codename, mirror };
  throw new CopepodError(
    "unavailable",
    "--own-engine takes its parts from Debian, and apt-get knows no Debian here; run `apt-get update` if this is one",
  );
}

export const unpackedFolder = ({ codename }: Debian, cache: string): string => join(cache, `docker-${codename}`);

/** @returns the root folder of the unpacked packages: a Docker engine, and what makes a Debian system */
export async function unpackDebian({ say, signal }: Cluster, debian: Debian, cache: string): Promise<string> {
  const folder = unpackedFolder(debian, cache);
  await mkdir(cache, { recursive: true });
  if ((await readdir(cache)).includes(basename(folder))) return folder;
  say("downloading the Docker engine from Debian (about 10 s)");
  const work = await mkdtemp(join(cache, ".docker-"));
  try {
    await run(["apt-get", "download", ...unpacked], { signal, cwd: work });
    for (const file of await readdir(work))
      await run(["dpkg-deb", "--extract", join(work, file), join(work, "root")], { signal });
    await rename(join(work, "root"), folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}
