import { join } from "node:path";
import { ports } from "@copepod/core/cluster";
import { environment } from "@copepod/core/environment";
import { CopepodError, parseInput } from "@copepod/core/errors";
import { z } from "zod";

const dayMs = 24 * 60 * 60_000;
const defaultRetentionDays = 30;

/** Set by Kubernetes, and by people who use kubectl. */
const foreign = { kubeconfig: "KUBECONFIG", host: "KUBERNETES_SERVICE_HOST", port: "KUBERNETES_SERVICE_PORT" } as const;

const socket = (what: string) => z.string().min(1).optional().describe(`${what} Not in a cluster.`);
const tcpPort = (what: string, usual: number) =>
  z.coerce.number().int().min(1).max(65_535).default(usual).describe(`TCP port of ${what}. In a cluster only.`);
const names = (what: string) =>
  z
    .string()
    .optional()
    .transform((text = "") => text.split(",").flatMap((name) => (name.trim() === "" ? [] : [name.trim()])))
    .describe(what);

/** Environment of the router. `docs/reference/environment.md` is generated from it. */
export const environmentSchema = z.object({
  [environment.home]: z.string().min(1).describe("Folder with the resources, the queue database and the volumes."),
  [environment.mailboxSocket]: socket("Unix socket on which the mailbox API is served."),
  [environment.channelSocket]: socket("Unix socket on which the channel API is served."),
  [environment.adminSocket]: socket("Unix socket (0600) on which the admin API is served."),
  [environment.supervisorSocket]: socket("Unix socket of the supervisor, which starts sessions."),
  [environment.namespaces]: names(
    "Namespaces, with commas, whose resources and sessions are taken from the cluster. With it the router serves TCP ports in the place of sockets.",
  ),
  [environment.admins]: names("User names, with commas, that may call all of the admin API. In a cluster only."),
  [environment.mailboxPort]: tcpPort("the mailbox API", ports.mailbox),
  [environment.channelPort]: tcpPort("the channel API", ports.channel),
  [environment.adminPort]: tcpPort("the admin API", ports.admin),
  [environment.metricsPort]: tcpPort("health and metrics", ports.metrics),
  [foreign.kubeconfig]: z
    .string()
    .optional()
    .describe("Kubeconfig of the cluster; without it the service account of the own pod counts. In a cluster only."),
  [foreign.host]: z.string().optional().describe("The API server, as Kubernetes tells each pod."),
  [foreign.port]: z.string().default("443").describe("Its port."),
  [environment.logLevel]: z
    .enum(["trace", "debug", "info", "warn", "error"])
    .default("info")
    .describe("Least level that is logged."),
  [environment.endWithStdin]: z.enum(["0", "1"]).default("0").describe("1 = end when standard input closes."),
  [environment.retentionDays]: z.coerce
    .number()
    .int()
    .min(1)
    .max(3_650)
    .default(defaultRetentionDays)
    .describe("Days after which rows that have ended are removed."),
});

type Environment = z.output<typeof environmentSchema>;

export interface LocalConfig {
  readonly kind: "local";
  readonly resourcesDir: string;
  readonly sockets: { readonly mailbox: string; readonly channel: string; readonly admin: string };
  readonly supervisorSocket: string;
}

export interface ClusterConfig {
  readonly kind: "cluster";
  readonly namespaces: readonly string[];
  readonly admins: readonly string[];
  readonly ports: {
    readonly mailbox: number;
    readonly channel: number;
    readonly admin: number;
    readonly metrics: number;
  };
  /** Files of kubeconfigs; else what Kubernetes tells the pod. */
  readonly access:
    | { readonly kind: "kubeconfig"; readonly files: readonly [string, ...string[]] }
    | { readonly kind: "pod"; readonly host: string; readonly port: string };
}

export interface RouterConfig {
  readonly queuePath: string;
  readonly blobsDir: string;
  readonly copiesDir: string;
  readonly logLevel: string;
  readonly endWithStdin: boolean;
  readonly retentionMs: number;
  readonly place: LocalConfig | ClusterConfig;
}

/** @throws CopepodError `invalid` naming the variable */
export function readConfig(env: NodeJS.ProcessEnv): RouterConfig {
  const read = parseInput(environmentSchema, env);
  const home = read[environment.home];
  return {
    queuePath: join(home, "queue.db"),
    blobsDir: join(home, "blobs"),
    copiesDir: join(home, "copies"),
    logLevel: read[environment.logLevel],
    endWithStdin: read[environment.endWithStdin] === "1",
    retentionMs: read[environment.retentionDays] * dayMs,
    place: read[environment.namespaces].length > 0 ? readCluster(read) : readLocal(read, home),
  };
}

function readLocal(read: Environment, home: string): LocalConfig {
  const path = (name: "mailboxSocket" | "channelSocket" | "adminSocket" | "supervisorSocket") =>
    required(environment[name], read[environment[name]]);
  return {
    kind: "local",
    resourcesDir: join(home, "resources"),
    sockets: { mailbox: path("mailboxSocket"), channel: path("channelSocket"), admin: path("adminSocket") },
    supervisorSocket: path("supervisorSocket"),
  };
}

function readCluster(read: Environment): ClusterConfig {
  const [first, ...more] = (read[foreign.kubeconfig] ?? "").split(":").filter((file) => file !== "");
  return {
    kind: "cluster",
    namespaces: [...new Set(read[environment.namespaces])],
    admins: read[environment.admins],
    ports: {
      mailbox: read[environment.mailboxPort],
      channel: read[environment.channelPort],
      admin: read[environment.adminPort],
      metrics: read[environment.metricsPort],
    },
    access:
      first === undefined
        ? { kind: "pod", host: required(foreign.host, read[foreign.host]), port: read[foreign.port] }
        : { kind: "kubeconfig", files: [first, ...more] },
  };
}

function required(name: string, value: string | undefined): string {
  if (value !== undefined) return value;
  throw new CopepodError("invalid", `${name}: must be set`);
}
