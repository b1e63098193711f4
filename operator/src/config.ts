import { readFileSync } from "node:fs";
import { ports } from "@copepod/core/cluster";
import { environment } from "@copepod/core/environment";
import { CopepodError, parseInput } from "@copepod/core/errors";
import { parse } from "yaml";
import { z } from "zod";
import { mountPolicySettings } from "./group/mount-settings.ts";
import { networkSettings } from "./group/network-settings.ts";

const maxPort = 65_535;

/** Environment of the operator. `docs/reference/environment.md` is generated from it. */
export const environmentSchema = z.object({
  [environment.namespaces]: z
    .string()
    .regex(/^[a-z0-9-]+(,[a-z0-9-]+)*$/, "must be names of namespaces with commas between them")
    .describe("Namespaces whose resources are followed, with commas."),
  [environment.podNamespace]: z.string().min(1).describe("Namespace of the own pod, which also holds the Lease."),
  [environment.podName]: z.string().min(1).describe("Name of the own pod, as Leases and Events tell it."),
  [environment.operatorConfig]: z.string().min(1).describe("YAML file with the operator's settings."),
  [environment.metricsPort]: z.coerce
    .number()
    .int()
    .min(0)
    .max(maxPort)
    .default(ports.metrics)
    .describe("TCP port of metrics and health. 0 = any free one."),
  [environment.logLevel]: z
    .enum(["trace", "debug", "info", "warn", "error"])
    .default("info")
    .describe("Least level that is logged."),
  KUBECONFIG: z.string().min(1).optional().describe("Kubeconfig. Default: the service account of the own pod."),
  KUBERNETES_SERVICE_HOST: z.string().default("").describe("Address of the API server, as every pod is told it."),
  KUBERNETES_SERVICE_PORT: z.string().default("443").describe("Port of the API server, as every pod is told it."),
});

/** Of containers, as Kubernetes knows them. */
const amounts = z.strictObject({ cpu: z.string().optional(), memory: z.string().optional() });
const resources = z.strictObject({ requests: amounts.optional(), limits: amounts.optional() });

/** What the operator's file says; the chart renders it from its values. */
export const settingsSchema = z.strictObject({
  images: z.strictObject({
    proxy: z.string().min(1),
    /** By provider. */
    agents: z.record(z.string(), z.string().min(1)),
  }),
  imagePullPolicy: z.enum(["Always", "IfNotPresent", "Never"]).default("IfNotPresent"),
  /** Names of Secrets in the agents' namespaces. */
  imagePullSecrets: z.array(z.string().min(1)).default([]),
  router: z.strictObject({
    /** Where proxies reach the mailbox, such as `http://copepod-router-mailbox.copepod:8081`. */
    mailboxUrl: z.url(),
    namespace: z.string().min(1),
    /** By which network policies know the router's pods. */
    podLabels: z.record(z.string(), z.string()),
  }),
  session: z
    .strictObject({
      proxyResources: resources.default({}),
      /** Where the agent group names none. */
      agentResources: resources.default({}),
      runtimeClassName: z.string().min(1).optional(),
      /** What names of labels and annotations in `podOverrides` may begin with; plain words without a domain always may. */
      allowedMetadata: z.array(z.string().min(1)).default([]),
    })
    .prefault({}),
  network: networkSettings,
  mountPolicy: mountPolicySettings,
  /** Pods of sessions that may start at the same time, per node. */
  wakesPerNode: z.int().min(1).max(100).default(4),
  /** Calls to the API server: per second on average, and at once after a rest. */
  client: z
    .strictObject({
      qps: z.number().min(1).max(10_000).default(50),
      burst: z.number().min(1).max(10_000).default(100),
    })
    .prefault({}),
});
export type Settings = z.output<typeof settingsSchema>;

export interface OperatorConfig {
  readonly namespaces: readonly string[];
  readonly podNamespace: string;
  readonly podName: string;
  readonly metricsPort: number;
  readonly logLevel: string;
  readonly kubeconfig: string | undefined;
  readonly apiServer: { readonly host: string; readonly port: string };
  readonly settings: Settings;
}

/** @throws CopepodError `invalid` naming the variable, or the field of the file */
export function readConfig(env: NodeJS.ProcessEnv): OperatorConfig {
  const read = parseInput(environmentSchema, env);
  return {
    namespaces: [...new Set(read[environment.namespaces].split(","))],
    podNamespace: read[environment.podNamespace],
    podName: read[environment.podName],
    metricsPort: read[environment.metricsPort],
    logLevel: read[environment.logLevel],
    kubeconfig: read.KUBECONFIG,
    apiServer: { host: read.KUBERNETES_SERVICE_HOST, port: read.KUBERNETES_SERVICE_PORT },
    settings: readSettings(read[environment.operatorConfig]),
  };
}

function readSettings(path: string): Settings {
  let document: unknown;
  try {
    document = parse(readFileSync(path, "utf8"));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CopepodError("invalid", `The operator's settings can't be read: ${why}`, { cause: error });
  }
  return parseInput(settingsSchema, document);
}
