import { AsyncLocalStorage } from "node:async_hooks";
import { ChildProcess } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { readFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import { CopepodError } from "@copepod/core/errors";
import type { KubeConfig } from "@kubernetes/client-node";
import { z } from "zod";
import type { Connection, Identity } from "./access.ts";

export interface KubeconfigSource {
  /** The first file that names a cluster, user or context counts, and those that are missing or empty don't, as for kubectl. */
  readonly files: readonly [string, ...string[]];
  /** Undefined: the current context of the files. */
  readonly context?: string;
}

/** Ends plug-ins with the reading that started them: KubeConfig gives no hold of them, and waits for ever. */
const readings = new AsyncLocalStorage<AbortSignal | undefined>();
const startSchema = z.object({ process: z.instanceof(ChildProcess) });
subscribe("child_process", (message) => {
  const plugin = startSchema.safeParse(message).data?.process;
  readings.getStore()?.addEventListener("abort", () => plugin?.kill("SIGKILL"));
});

/**
 * The identity of a kubeconfig: certificates, tokens, passwords, exec plug-ins, OIDC; straight or through the HTTP proxy that
 * it names. Proxies of the environment don't count.
 */
export function kubeconfig(source: KubeconfigSource): Identity {
  let kept: { readonly text: string; readonly config: KubeConfig } | undefined;
  return async (anew, signal) => {
    const texts = await Promise.all(source.files.map(readIfThere));
    const text = texts.join("\n");
    // A plug-in's credentials live in the KubeConfig, which must stay for them; all else is read anew.
    const stays = kept?.text === text && !anew && hasPlugin(kept.config);
    const filled = source.files.filter((_, at) => texts[at]?.trim());
    const config = stays && kept ? kept.config : await load(filled, source);
    kept = { text, config };
    return await readings.run(signal, () => connectionOf(config, text));
  };
}

/** Namespace of the context; undefined where it names none. @throws CopepodError `invalid` */
export async function kubeconfigNamespace(source: KubeconfigSource): Promise<string | undefined> {
  const texts = await Promise.all(source.files.map(readIfThere));
  const filled = source.files.filter((_, at) => texts[at]?.trim());
  const config = await load(filled, source);
  return config.getContextObject(config.getCurrentContext())?.namespace || undefined;
}

async function readIfThere(file: string): Promise<string> {
  return await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
}

async function load(filled: readonly string[], { files, context }: KubeconfigSource): Promise<KubeConfig> {
  if (filled.length === 0) {
    throw new CopepodError("invalid", `there is no kubeconfig, or an empty one, at ${files.join(", ")}; name another`);
  }
  // Takes 0.2 s and 90 MB, which a pod never needs.
  const { KubeConfig } = await import("@kubernetes/client-node");
  const parts = filled.map((file) => {
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

async function connectionOf(config: KubeConfig, text: string): Promise<Connection> {
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
  requireWholeImpersonation(config, text);
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

/** KubeConfig reads `as` alone, which without the rest is somebody else. */
function requireWholeImpersonation(config: KubeConfig, text: string): void {
  if (!config.getCurrentUser()?.impersonateUser || !/\bas-(groups|uid|user-extra)\b/.test(text)) return;
  throw new CopepodError("invalid", "the kubeconfig says more than `as` of a user to act as; only that is supported");
}

function headersOf({ headers = {}, auth }: RequestOptions): Record<string, string> {
  const pairs = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  const basic = auth ? { authorization: `Basic ${Buffer.from(auth).toString("base64")}` } : {};
  return { ...basic, ...Object.fromEntries(pairs) };
}
