import { execFile } from "node:child_process";
import { open } from "node:fs/promises";
import { delimiter } from "node:path";
import { promisify } from "node:util";
import { CopepodError } from "@copepod/core/errors";
import { findExecutable } from "./programs.ts";
import type { Say } from "./say.ts";

/** Debian packages that clusters need beside the binaries, each with a program by which it is recognised. */
const programOf = {
  // The package `busybox` has a program of that name, too: see `find`.
  "busybox-static": "busybox",
  debootstrap: "debootstrap",
  iptables: "iptables",
  iproute2: "ip",
  nftables: "nft",
  runc: "runc",
  "util-linux": "unshare",
} as const;
export type PackageName = keyof typeof programOf;

export interface PackageOptions {
  readonly install: boolean;
  /** Where programs are looked for. */
  readonly folders: readonly string[];
  readonly say: Say;
  readonly signal: AbortSignal;
}

/** Path of each package's program. */
export type Packages<Name extends PackageName = PackageName> = Readonly<Record<Name, string>>;

/** @throws CopepodError `notFound` that names those that are missing and says how to install them */
export async function requirePackages<Name extends PackageName>(
  names: readonly Name[],
  options: PackageOptions,
): Promise<Packages<Name>> {
  const found = await findAll(names, options.folders);
  const missing = names.filter((name) => !found.has(name));
  if (missing.length === 0) return toPackages(names, found);
  const list = missing.join(" ");
  if (!options.install) {
    throw new CopepodError(
      "notFound",
      `missing Debian packages: ${list}; run this again with --install, or \`apt-get install ${list}\` as root`,
    );
  }
  await installAll(missing, options);
  return toPackages(names, await findAll(names, options.folders));
}

async function installAll(
  names: readonly PackageName[],
  { folders, say, signal }: Omit<PackageOptions, "install">,
): Promise<void> {
  const list = names.join(" ");
  say(`installing ${list}`);
  const aptGet = async (...args: readonly string[]) =>
    await promisify(execFile)("apt-get", args, {
      env: { PATH: folders.join(delimiter), DEBIAN_FRONTEND: "noninteractive" },
      signal,
    });
  try {
    await aptGet("update", "-qq");
    await aptGet("install", "-y", "-qq", "--no-install-recommends", ...names);
  } catch (cause) {
    signal.throwIfAborted();
    throw new CopepodError("unavailable", `installing ${list} failed: ${lastLine(cause)}`, { cause });
  }
}

type Found = ReadonlyMap<PackageName, string>;

async function findAll(names: readonly PackageName[], folders: readonly string[]): Promise<Found> {
  const looks = names.map(async (name) => {
    const path = await find(name, folders);
    return path === undefined ? [] : [[name, path] as const];
  });
  return new Map((await Promise.all(looks)).flat());
}

async function find(name: PackageName, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders) {
    const path = await findExecutable(programOf[name], [folder]);
    if (path !== undefined && (name !== "busybox-static" || !(await hasLoader(path)))) return path;
  }
  return undefined;
}

function toPackages<Name extends PackageName>(names: readonly Name[], found: Found): Packages<Name>;
function toPackages(names: readonly PackageName[], found: Found): Record<string, string> {
  const missing = names.filter((name) => !found.has(name));
  if (missing.length === 0) return Object.fromEntries(found);
  throw new CopepodError(
    "notFound",
    `${missing.join(" ")} is installed, but nothing of it is on the PATH: put the folder of its programs there`,
  );
}

/** Whether a program needs libraries, which an image without them would not have: its first page names who loads them. */
async function hasLoader(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(4_096), position: 0 });
  return buffer.subarray(0, bytesRead).includes("/ld-");
}

const lastLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).trimEnd().split("\n").at(-1) ?? "";
