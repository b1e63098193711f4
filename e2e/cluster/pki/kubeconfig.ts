import type { KeyPair } from "./certificates.ts";

export type KubeconfigUser = KeyPair | { readonly token: string };

export interface KubeconfigOptions {
  readonly cluster: string;
  /** Such as `https://127.0.0.1:6443`. */
  readonly server: string;
  /** PEM of the authority's certificate. */
  readonly authority: string;
  readonly user: KubeconfigUser;
}

/** A kubeconfig that holds everything in itself. JSON, which is YAML. */
export function formatKubeconfig({ cluster: name, server, authority, user }: KubeconfigOptions): string {
  const credentials =
    "token" in user
      ? { token: user.token }
      : { "client-certificate-data": base64(user.certificate), "client-key-data": base64(user.key) };
  return `${JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server, "certificate-authority-data": base64(authority) } }],
    users: [{ name, user: credentials }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    "current-context": name,
  })}\n`;
}

const base64 = (pem: string): string => Buffer.from(pem).toString("base64");
