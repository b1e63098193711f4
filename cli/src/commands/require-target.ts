import type { Cluster } from "../cluster/open-cluster.ts";
import type { Context } from "../context.ts";
import { ExitError } from "../exit-codes.ts";

/** @throws ExitError `usage` on this machine. @param what such as "`copepod logs`" */
export function requireCluster({ cluster, settings }: Context, what: string): Cluster {
  if (cluster) return cluster;
  throw new ExitError("usage", "invalid", {
    message: `${what} is for a cluster, and this command works on this machine`,
    cure: `Name the cluster: with \`--cluster\`, \`--context\` or \`-n\`, or as \`kubectl copepod\`. Of this machine see ${settings.home}/logs.`,
  });
}

/** @throws ExitError `usage` for a cluster. @param instead what does it there, as a sentence */
export function requireMachine({ cluster }: Context, what: string, instead: string): void {
  if (!cluster) return;
  throw new ExitError("usage", "invalid", { message: `${what} is for this machine, not for a cluster`, cure: instead });
}
