import { lstatSync, mkdirSync } from "node:fs";
import { chmod, lstat, mkdir, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import { type HomeLayout, type RunLayout, runLayout } from "../home/layout.ts";

/**
 * Makes the run folder, or takes the one that a killed supervisor left, and empties it. The caller holds the lock.
 * @throws CopepodError `forbidden` when the folder belongs to somebody else
 */
export async function prepareRunFolder(folder: string, uid: number): Promise<RunLayout> {
  await mkdir(folder, { mode: 0o700, recursive: true });
  if (!(await isOwnFolder(folder, uid))) throw foreignFolder(folder);
  await chmod(folder, 0o700);
  const layout = runLayout(folder);
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
  for (const path of foldersIn(layout)) await mkdir(path, { mode: 0o700 });
  return layout;
}

/**
 * Makes what is missing of a run folder that somebody has removed under a running supervisor.
 * @returns whether the whole folder was missing
 * @throws CopepodError `forbidden` when it belongs to somebody else now, and what the file system throws
 */
export function renewRunFolder(layout: RunLayout, uid: number): boolean {
  const made = mkdirSync(layout.folder, { mode: 0o700, recursive: true });
  const found = lstatSync(layout.folder);
  if (!found.isDirectory() || found.uid !== uid) throw foreignFolder(layout.folder);
  for (const path of foldersIn(layout)) mkdirSync(path, { mode: 0o700, recursive: true });
  return made !== undefined;
}

const foldersIn = ({ sessions, hosts, children }: RunLayout): readonly string[] => [sessions, hosts, children];

const foreignFolder = (folder: string): CopepodError =>
  new CopepodError("forbidden", `${folder} belongs to somebody else; remove it or set XDG_RUNTIME_DIR`);

/** A real folder of this user. What lies in a folder of somebody else is not to be believed. */
export async function isOwnFolder(path: string, uid: number): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  return found?.isDirectory() === true && found.uid === uid;
}

/** Leaves a link in the home, so that a command with another environment finds the same run folder. */
export async function linkRunFolder(home: HomeLayout, folder: string): Promise<void> {
  const fresh = `${home.runLink}.new`;
  await rm(fresh, { force: true });
  await symlink(folder, fresh);
  await rename(fresh, home.runLink);
}

/** The run folder that the home's link names; undefined when none was ever made. */
export async function linkedRunFolder(home: HomeLayout): Promise<string | undefined> {
  try {
    return await readlink(home.runLink);
  } catch {
    return undefined;
  }
}
