import { readFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import { CopepodError } from "@copepod/core/errors";
import type { KubeConfig } from "@kubernetes/client-node";
import type { Connection, Identity } from "./access.ts";

export interface KubeconfigSource {
  /** The first file that names a cluster, user or context counts, as for kubectl. */
  readonly files: readonly [string, ...string[]];
  /** Undefined: the current context of the files. */
  readonly context?: string;
}

/** The identity of a kubeconfig: certificates, tokens, passwords, exec plug-ins, OIDC; straight or through an HTTP proxy. */
export function kubeconfig(source: KubeconfigSource): Identity {
  let kept: { readonly text: string; readonly config: KubeConfig } | undefined;
  return async (anew) => {
    const text = (await Promise.all(source.files.map((file) => readFile(file, "utf8")))).join("\n");
    // A plug-in's credentials live in the KubeConfig, which must stay for them; all else is read anew.
    const stays = kept?.text === text && !anew && hasPlugin(kept.config);
    const config = stays && kept ? kept.config : await load(source);
    kept = { text, config };
    return await connectionOf(config);
  };
}

async function load({ files, context }: KubeconfigSource): Promise<KubeConfig> {
  // Takes 0.2 s and 90 MB, which a pod never needs.
  const { KubeConfig } = await import("@kubernetes/client-node");
  const parts = files.map((file) => {
    const part = new KubeConfig();
    part.loadFromFile(file);
    return part;
  });
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: firstOfName(parts.flatMap(({ clusters }) => clusters)),
    users: firstOfName(parts.flatMap(({ users }) => users)),
    contexts: firstOfName(parts.flatMap(({ contexts }) => contexts)),
    currentContext: context ?? parts.find(({ currentContext }) => currentContext)?.currentContext,
  });
  return config;
}

function firstOfName<T extends { readonly name: string }>(items: readonly T[]): T[] {
  return items.filter(({ name }, at) => items.findIndex((item) => item.name === name) === at);
}

function hasPlugin(config: KubeConfig): boolean {
  const user = config.getCurrentUser();
  return Boolean(user?.exec ?? user?.authProvider);
}

async function connectionOf(config: KubeConfig): Promise<Connection> {
  const cluster = config.getCurrentCluster();
  if (!cluster) {
    const name = config.getCurrentContext() || "none";
    throw new CopepodError(
      "invalid",
      `the kubeconfig has no cluster for its context (${name}); choose another context`,
    );
  }
  if (cluster.proxyUrl?.startsWith("socks")) {
    throw new CopepodError("invalid", "the kubeconfig asks for a SOCKS proxy; only HTTP proxies are supported");
  }
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, servername } = options;
  return {
    endpoint: {
      server: cluster.server,
      ...(ca && { ca: String(ca) }),
      ...(cert && { cert: String(cert) }),
      ...(key && { key: String(key) }),
      ...(servername && { servername }),
      ...(cluster.skipTLSVerify && { insecure: true }),
      ...(cluster.proxyUrl && { proxyUrl: cluster.proxyUrl }),
    },
    headers: headersOf(options),
  };
}

function headersOf({ headers = {}, auth }: RequestOptions): Record<string, string> {
  const pairs = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  const basic = auth ? { authorization: `Basic ${Buffer.from(auth).toString("base64")}` } : {};
  return { ...basic, ...Object.fromEntries(pairs) };
}
