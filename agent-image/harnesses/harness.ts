import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { environment } from "@copepod/core/environment";

/** Harnesses that come with a lock file of their own, in the folder of their name beside this file. */
export const harnessNames = ["claude", "codex", "opencode"] as const;
export type HarnessName = (typeof harnessNames)[number];

const versionLength = 12;

/** Folder with `package.json` and `package-lock.json` of a harness. */
export const harnessSource = (name: HarnessName): string => join(import.meta.dirname, name);

/** Where a harness is or would be installed: named by its lock file, so that two versions of Copepod share a cache. */
export function harnessFolder(harnessesDir: string, name: HarnessName): string {
  const lock = readFileSync(join(harnessSource(name), "package-lock.json"));
  return join(harnessesDir, `${name}-${createHash("sha256").update(lock).digest("hex").slice(0, versionLength)}`);
}

/** An installation appears under its name only when it is whole. */
export const isInstalled = (harnessesDir: string, name: HarnessName): boolean =>
  existsSync(harnessFolder(harnessesDir, name));

/** Where harnesses are installed for one person, unless `COPEPOD_HARNESSES_DIR` says otherwise. */
export function defaultHarnessesDir(env: Readonly<Record<string, string | undefined>>, homeDir: string): string {
  return env[environment.harnessesDir] || join(env.XDG_CACHE_HOME || join(homeDir, ".cache"), "copepod", "harnesses");
}
