import { join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import { type ClusterStatus, kubeconfigOf, type ProviderName } from "../cluster.ts";
import { whyNotReady } from "./answers.ts";
import { type Context, existing, kubeconfigFor, makeCluster } from "./context.ts";
import type { Of } from "./options.ts";
import { listClusters } from "./state.ts";

/** @returns whether all that it shows serve */
export async function status({ name, asJson }: Of<"status">, context: Context): Promise<boolean> {
  const { clusters } = context.folders;
  const all = name === undefined ? await lookAtAll(await listClusters(clusters), context) : [await look(name, context)];
  if (asJson) context.print(`${JSON.stringify({ clusters: all }, undefined, 2)}\n`);
  else if (all.length === 0) context.print("there is no cluster; `npm run cluster -- up` makes one\n");
  else for (const one of all) context.print(formatStatus(one));
  return all.every(({ state }) => state === "up");
}

interface Shown extends ClusterStatus {
  readonly name: string;
  readonly provider: ProviderName | "unknown";
  readonly folder: string;
  readonly kubeconfig: string;
}

/** One that can't be looked at doesn't hide the others. */
async function lookAtAll(names: readonly string[], context: Context): Promise<Shown[]> {
  const looks = names.map(async (name): Promise<Shown> => {
    const folder = join(context.folders.clusters, name);
    return await look(name, context).catch((error: unknown) => {
      if (!(error instanceof CopepodError)) throw error;
      const part = { name: "cluster", state: "ended", detail: error.message } as const;
      return { name, provider: "unknown", state: "broken", parts: [part], folder, kubeconfig: kubeconfigOf(folder) };
    });
  });
  return await Promise.all(looks);
}

async function look(name: string, context: Context): Promise<Shown> {
  const { provider, state, folder } = await existing(name, context);
  const cluster = makeCluster(name, { context });
  const found = await provider.status(cluster);
  const shown = { name, provider: provider.name, ...found, folder, kubeconfig: kubeconfigFor(state, folder) };
  const problem = found.state === "up" ? await whyNotReady(cluster, shown.kubeconfig) : undefined;
  if (problem === undefined) return shown;
  return { ...shown, state: "broken", parts: [...found.parts, { name: "readiness", state: "ended", detail: problem }] };
}

function formatStatus({ name, provider, state, kubeconfig, parts }: Shown): string {
  const width = Math.max(...parts.map((part) => part.name.length), 0);
  const lines = parts.map(
    (part) => `  ${part.name.padEnd(width)}  ${part.state}${part.detail ? `  ${part.detail}` : ""}`,
  );
  const advice = state === "up" ? [] : ["  `up` mends it, `down` removes it"];
  return `${[`${name}  ${provider}  ${state}  ${kubeconfig}`, ...lines, ...advice].join("\n")}\n`;
}
