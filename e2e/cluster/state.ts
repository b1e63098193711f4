import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { CopepodError } from "@copepod/core/errors";
import { z } from "zod";
import { providerNames, type Say } from "./cluster.ts";
import { waitFor } from "./wait.ts";

/** Interfaces have 15 characters at most, and their names end in a few of their own. */
export const maxNameLength = 20;
const lockTimeoutMs = 30 * 60_000;
const defaultSayAfterMs = 2_000;
const sqliteBusy = 5;

const namePattern = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/** What must be known of a cluster to go on with it. */
const stateSchema = z.strictObject({
  provider: z.enum(providerNames),
  /** Of `kind`: a Docker engine of its own. */
  ownEngine: z.boolean(),
  /** Of `kubeconfig`: the file that was given. */
  kubeconfig: z.string().optional(),
});
export type ClusterState = z.infer<typeof stateSchema>;

export const kubeconfigOf = (folder: string): string => join(folder, "kubeconfig");

/** @throws CopepodError `invalid` */
export function checkName(name: string): string {
  if (name.length <= maxNameLength && namePattern.test(name)) return name;
  throw new CopepodError(
    "invalid",
    `“${name}” can't name a cluster: use at most ${maxNameLength} small letters, digits and dashes`,
  );
}

/** @returns undefined when there is no such cluster */
export async function readState(folder: string): Promise<ClusterState | undefined> {
  const file = join(folder, "cluster.json");
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CopepodError("invalid", `${file} is not readable; remove it, then make the cluster again`, { cause });
  }
}

/** Makes the folder, too. */
export async function writeState(folder: string, state: ClusterState): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeWhole(join(folder, "cluster.json"), `${JSON.stringify(state)}\n`);
}

/** Names of all clusters that have a folder. */
export async function listClusters(clusters: string): Promise<string[]> {
  const entries = await readdir(clusters, { withFileTypes: true }).catch(emptyIfMissing);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

export const removeFolder = async (folder: string): Promise<void> => await rm(folder, { recursive: true, force: true });

/** A reader sees the old file or the new one, never half of it. Mode 0600. */
export async function writeWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}.draft`;
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, file);
}

export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";

function emptyIfMissing(error: unknown): [] {
  if (isMissing(error)) return [];
  throw error;
}

export interface LockOptions {
  readonly say: Say;
  readonly signal: AbortSignal;
  /** What the lock is for, as in "busy with …". */
  readonly what: string;
  /** After how long it tells that it waits. */
  readonly sayAfterMs?: number;
}

/**
 * Waits until nobody else holds the lock. Node has no file locks of its own, SQLite has: the kernel drops them with the
 * process, so a killed holder leaves nothing to clean up. The file stays, or two could lock different files of one name.
 * @param file its folder must exist
 */
export async function takeLock(
  file: string,
  { say, signal, what, sayAfterMs = defaultSayAfterMs }: LockOptions,
): Promise<Disposable> {
  const database = new DatabaseSync(file, { timeout: 0 });
  const begun = performance.now();
  let said = false;
  const look = (): boolean => {
    if (begin(database)) return true;
    if (!said && performance.now() - begun >= sayAfterMs) {
      said = true;
      say(`waiting: another process is busy with ${what}`);
    }
    return false;
  };
  try {
    await waitFor(`the end of what another process does with ${what}`, look, { timeoutMs: lockTimeoutMs, signal });
  } catch (error) {
    database.close();
    throw error;
  }
  return { [Symbol.dispose]: () => database.close() };
}

function begin(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if (error instanceof Error && "errcode" in error && error.errcode === sqliteBusy) return false;
    throw error;
  }
}
