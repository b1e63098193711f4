import { CopepodError } from "@copepod/core/errors";
import type { KubeClient } from "@copepod/kube/client/client";
import { createKubeClient } from "@copepod/kube/client/kube-client";
import { kubeconfig, kubeconfigNamespace } from "@copepod/kube/client/kubeconfig";
import type { Clock } from "@copepod/kube/clock";
import type { ObjectName } from "@copepod/kube/object";
import type { CliConfig } from "../config.ts";
import type { AdminConnection } from "../context.ts";
import { ApiStreams } from "./api-streams.ts";
import { connectRouter } from "./connect-router.ts";
import { type ClusterOptions, defaultAgentsNamespace, defaultSystemNamespace } from "./options.ts";
import { requestedToken, tokenOfFile } from "./router-token.ts";

/** A cluster as a person's kubeconfig leads to it, with that person's rights. */
export interface Cluster {
  readonly client: KubeClient;
  readonly streams: ApiStreams;
  readonly clock: Clock;
  /** Of agents. */
  readonly namespace: string;
  readonly systemNamespace: string;
  /** Name the same cluster to helm. */
  readonly helmFlags: readonly string[];
  /** @throws CopepodError that says what is missing */
  connectRouter(): Promise<AdminConnection>;
  close(): Promise<void>;
}

/** Field manager of what people apply. */
export const fieldManager = "copepod";

/** @throws CopepodError `invalid` for a kubeconfig that leads nowhere */
export async function openCluster(
  { kubeconfigs }: Pick<CliConfig, "kubeconfigs">,
  options: ClusterOptions & { readonly version: string; readonly clock: Clock },
): Promise<Cluster> {
  const files = options.kubeconfig === undefined ? kubeconfigs : ([options.kubeconfig] as const);
  const source = { files, ...(options.context && { context: options.context }) };
  const namespace = options.namespace ?? (await kubeconfigNamespace(source)) ?? defaultAgentsNamespace;
  const { systemNamespace = defaultSystemNamespace, tokenFile, version, clock } = options;
  const identity = kubeconfig(source);
  const userAgent = `${fieldManager}/${version}`;
  const client = createKubeClient({ identity, userAgent, clock, random: Math.random });
  const streams = new ApiStreams(identity, clock);
  const account = accountOf(options.serviceAccount ?? "copepod-admin", systemNamespace);
  const token = tokenFile === undefined ? requestedToken(client, account, clock) : tokenOfFile(tokenFile);
  return {
    client,
    streams,
    clock,
    namespace,
    systemNamespace,
    helmFlags: [
      ...(options.kubeconfig === undefined ? [] : ["--kubeconfig", options.kubeconfig]),
      ...(options.context === undefined ? [] : ["--kube-context", options.context]),
    ],
    connectRouter: () => connectRouter({ client, streams, token, namespace, systemNamespace }),
    close: async () => {
      await Promise.all([client.close(), streams.close()]);
    },
  };
}

function accountOf(given: string, namespace: string): ObjectName {
  const [name, before, ...more] = given.split("/").toReversed();
  if (name && before !== "" && more.length === 0) return { namespace: before ?? namespace, name };
  throw new CopepodError(
    "invalid",
    `${JSON.stringify(given)} is no service account; write its name, or namespace/name`,
  );
}
