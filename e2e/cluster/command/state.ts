import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import { z } from "zod";
import { providerNames } from "../cluster.ts";
import { isMissing, readIfThere, writeWhole } from "../machine/files.ts";

/** What must be known of a cluster to go on with it. */
const stateSchema = z.strictObject({
  provider: z.enum(providerNames),
  /** Of `kind`: a Docker engine of its own. */
  ownEngine: z.boolean(),
  /** Of `kubeconfig`: the file that was given. */
  kubeconfig: z.string().optional(),
});
export type ClusterState = z.infer<typeof stateSchema>;

/** @returns undefined when there is no such cluster */
export async function readState(folder: string): Promise<ClusterState | undefined> {
  const file = join(folder, "cluster.json");
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new CopepodError("invalid", `${file} is not readable: \`down\` removes the cluster`, { cause });
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

function emptyIfMissing(error: unknown): [] {
  if (isMissing(error)) return [];
  throw error;
}
