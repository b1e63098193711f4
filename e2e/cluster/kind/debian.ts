import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import type { Cluster } from "../cluster.ts";
import { run } from "./run.ts";

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

/** Downloads the packages into the folder, which becomes the root folder of what is in them. */
export async function unpackPackages(folder: string, { say, signal }: Pick<Cluster, "say" | "signal">): Promise<void> {
  if (existsSync(folder)) return;
  say("downloading the Docker engine from Debian (about 10 s)");
  await mkdir(dirname(folder), { recursive: true });
  const work = await mkdtemp(`${folder}.`);
  try {
    await run(["apt-get", "download", ...unpacked], { signal, cwd: work });
    for (const file of await readdir(work))
      await run(["dpkg-deb", "--extract", join(work, file), join(work, "root")], { signal });
    await rename(join(work, "root"), folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
