import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import type { Identity } from "./access.ts";

export interface InCluster {
  /** `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT` of the pod. */
  readonly host: string;
  readonly port: string;
  /** Holds `token` and `ca.crt`. */
  readonly folder?: string;
}

const serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The service account of the pod that the program runs in. */
export function inCluster({ host, port, folder = serviceAccountFolder }: InCluster): Identity {
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const read = (file: string) => readFile(join(folder, file), "utf8");
  return async () => {
    const [ca, token] = await Promise.all([read("ca.crt"), read("token")]);
    return { endpoint: { server, ca }, headers: { authorization: `Bearer ${token.trim()}` } };
  };
}
