import { join, resolve } from "node:path";

export interface Folders {
  /** One folder for each cluster, by its name. */
  readonly clusters: string;
  /** What is made once and used by all: programs, images. May be removed at any time. */
  readonly cache: string;
}

/** By the XDG base directory rules. */
export const foldersOf = (env: NodeJS.ProcessEnv, home: string): Folders => ({
  clusters: resolve(env.XDG_STATE_HOME || join(home, ".local", "state"), "copepod", "clusters"),
  cache: resolve(env.XDG_CACHE_HOME || join(home, ".cache"), "copepod"),
});
