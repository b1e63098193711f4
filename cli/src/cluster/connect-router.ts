import type { Duplex } from "node:stream";
import { adminApi } from "@copepod/core/admin-api";
import { createBlobs, getBytes } from "@copepod/core/blobs";
import { ports } from "@copepod/core/cluster";
import { createClient } from "@copepod/core/endpoint";
import { codeOf } from "@copepod/core/errors";
import { backupPath, blobPaths } from "@copepod/core/files";
import type { KubeClient } from "@copepod/kube/client/client";
import type { AdminConnection } from "../context.ts";
import { ExitError } from "../exit-codes.ts";
import type { ApiStreams } from "./api-streams.ts";
import { nameOf } from "./kinds.ts";
import { isRunning, podsOf, whyNot } from "./program-pods.ts";
import { missingRight, rightMissing } from "./rights.ts";
import type { RouterToken } from "./router-token.ts";
import { openTunnel } from "./tunnel.ts";
import { createTunnelHttp } from "./tunnel-http.ts";

export interface RouterLink {
  readonly client: KubeClient;
  readonly streams: ApiStreams;
  readonly token: RouterToken;
  /** Of agents. */
  readonly namespace: string;
  readonly systemNamespace: string;
}

/**
 * A client of the router's admin API, over a forwarded port of its pod. The pod is looked for anew for each call, so a router
 * that restarts is found again.
 * @throws ExitError that names what is missing: the router, a right, a token
 */
export async function connectRouter(link: RouterLink): Promise<AdminConnection> {
  const { token, namespace } = link;
  // Later errors reach the caller as "unavailable" only, so what can be said better is found out here.
  (await open(link)).destroy();
  await token();
  const http = createTunnelHttp({ open: () => open(link), token });
  return {
    admin: createClient(adminApi, { fetch: http.fetch, baseUrl: "http://router" }),
    blobs: createBlobs({ send: http.sendBytes, url: `http://router${blobPaths.admin}` }),
    copyQueue: (signal) => getBytes(http.sendBytes, `http://router${backupPath}`, { signal }),
    namespace,
    hasEnded: async () => false,
    close: async () => {},
  };
}

async function open({ client, streams, systemNamespace: namespace }: RouterLink): Promise<Duplex> {
  const pod = await findRouter(client, namespace);
  try {
    return await openTunnel(streams, { namespace, pod, port: ports.admin });
  } catch (error) {
    if (codeOf(error) !== "clusterUnavailable") throw error;
    const forwarding = { resource: "pods", subresource: "portforward", namespace };
    const right = await missingRight(client, [
      { verb: "create", ...forwarding },
      { verb: "get", ...forwarding },
    ]);
    throw right ? rightMissing("reach the router", right) : error;
  }
}

/** Name of the router's pod. @throws ExitError `notRunning` when it is not installed; `unavailable` when it does not run */
async function findRouter(client: KubeClient, namespace: string): Promise<string> {
  const [pod] = await podsOf(client, namespace, "router");
  if (!pod) {
    throw new ExitError("notRunning", "notRunning", {
      message: `the namespace "${namespace}" has no router`,
      cure: "Install it: `copepod install`. If it runs in another namespace, name that with `--system-namespace`.",
    });
  }
  if (isRunning(pod)) return nameOf(pod);
  throw new ExitError("failure", "unavailable", {
    message: `the router is not running: ${whyNot(pod)}`,
    cure: `\`copepod logs router\` shows its last words; \`kubectl -n ${namespace} describe pod ${nameOf(pod)}\` shows the rest.`,
  });
}
