import { execFile } from "node:child_process";
import { open } from "node:fs/promises";
import { delimiter } from "node:path";
import { promisify } from "node:util";
import { CopepodError } from "@copepod/core/errors";
import { findExecutable } from "./programs.ts";
import type { Say } from "./say.ts";

/** Debian packages that clusters need beside the binaries, each with a program by which it is recognised. */
const programOf = {
  // The package `busybox` has a program of that name, too: see `hasLoader`.
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

/** @throws CopepodError `notFound` that names those that are missing and says how to install them */
export async function requirePackages(
  names: readonly PackageName[],
  { install, folders, say, signal }: PackageOptions,
): Promise<void> {
  const missing = await missingPackages(names, folders);
  if (missing.length === 0) return;
  const list = missing.join(" ");
  if (!install) {
    throw new CopepodError(
      "notFound",
      `missing Debian packages: ${list}; run this again with --install, or \`apt-get install ${list}\` as root`,
    );
  }
  say(`installing ${list}`);
  const aptGet = async (...args: readonly string[]) =>
    await promisify(execFile)("apt-get", args, {
      env: { PATH: folders.join(delimiter), DEBIAN_FRONTEND: "noninteractive" },
      signal,
    });
  try {
    await aptGet("update", "-qq");
    await aptGet("install", "-y", "-qq", "--no-install-recommends", ...missing);
  } catch (cause) {
    signal.throwIfAborted();
    throw new CopepodError("unavailable", `installing ${list} failed: ${lastLine(cause)}`, { cause });
  }
}

async function missingPackages(
  names: readonly PackageName[],
  folders: readonly string[],
): Promise<readonly PackageName[]> {
  const looks = names.map(async (name) => ((await isThere(name, folders)) ? [] : [name]));
  return (await Promise.all(looks)).flat();
}

async function isThere(name: PackageName, folders: readonly string[]): Promise<boolean> {
  const path = await findExecutable(programOf[name], folders);
  if (path === undefined) return false;
  return name !== "busybox-static" || !(await hasLoader(path));
}

/** Whether a program needs libraries, which an image without them would not have: its first page names who loads them. */
async function hasLoader(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(4_096), position: 0 });
  return buffer.subarray(0, bytesRead).includes("/ld-");
}

const lastLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).trimEnd().split("\n").at(-1) ?? "";
