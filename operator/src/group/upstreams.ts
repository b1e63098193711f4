import type { Credential } from "@copepod/crds/credential";

/** Where a Credential's private upstream is. */
export type PrivateUpstream =
  | { readonly kind: "address"; readonly address: string; readonly port: number }
  | { readonly kind: "service"; readonly namespace: string; readonly port: number }
  /** To be resolved. */
  | { readonly kind: "name"; readonly host: string; readonly port: number };

const serviceName = /^[^.]+\.([^.]+)\.svc(\.cluster\.local)?$/;
const defaultPorts: Readonly<Record<string, number>> = { "http:": 80, "https:": 443 };

/** @returns undefined for a Credential that opens nothing. Pure */
export function privateUpstream({ metadata, spec }: Credential): PrivateUpstream | undefined {
  if (!spec.upstream?.private || spec.upstream.baseUrl === undefined) return undefined;
  const { protocol, hostname, port: written } = new URL(spec.upstream.baseUrl);
  const port = written === "" ? (defaultPorts[protocol] ?? 0) : Number(written);
  if (hostname.startsWith("[")) return { kind: "address", address: hostname.slice(1, -1), port };
  if (/^[0-9.]+$/.test(hostname)) return { kind: "address", address: hostname, port };
  const namespace = serviceName.exec(hostname)?.[1];
  if (namespace !== undefined) return { kind: "service", namespace, port };
  if (hostname === "localhost") return undefined;
  // A name of one label is a Service beside the pod.
  if (!hostname.includes(".")) return { kind: "service", namespace: metadata.namespace, port };
  return { kind: "name", host: hostname, port };
}
