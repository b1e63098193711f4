import { existsSync } from "node:fs";
import { join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import { findBinaries } from "../binaries/find.ts";
import { type Cluster, kubeconfigOf, type Provider } from "../cluster.ts";
import type { Folders } from "../machine/folders.ts";
import { requirePackages } from "../machine/packages.ts";
import { programFolders } from "../machine/programs.ts";
import { loadProvider } from "./providers.ts";
import { type ClusterState, readState } from "./state.ts";

export interface Context {
  readonly folders: Folders;
  readonly env: NodeJS.ProcessEnv;
  /** What relative paths start from. */
  readonly cwd: string;
  /** For people, while it goes on. */
  readonly say: (line: string) => void;
  /** The answer. */
  readonly print: (text: string) => void;
  readonly signal: AbortSignal;
}

interface Existing {
  readonly provider: Provider;
  readonly state: ClusterState;
  readonly folder: string;
}

/** @throws CopepodError `notFound` */
export async function existing(name: string, { folders }: Context): Promise<Existing> {
  const folder = join(folders.clusters, name);
  const state = await readState(folder);
  if (state) return { folder, state, provider: await loadProvider(state, folders.cache) };
  throw new CopepodError(
    "notFound",
    existsSync(folder)
      ? `${name} was made by half: \`up\` goes on, \`down\` removes what there is`
      : `there is no cluster ${name}: \`up\` makes it, \`status\` lists those that there are`,
  );
}

export function makeCluster(
  name: string,
  { context, install = false }: { readonly context: Context; readonly install?: boolean },
): Cluster {
  const { folders, env, say, signal } = context;
  return {
    name,
    folder: join(folders.clusters, name),
    say,
    signal,
    binaries: async (names) => await findBinaries(names, { env, say, signal }),
    packages: async (names) =>
      await requirePackages(names, { install, folders: programFolders(env.PATH), say, signal }),
  };
}

export const kubeconfigFor = ({ kubeconfig }: ClusterState, folder: string): string =>
  kubeconfig ?? kubeconfigOf(folder);
