import { type Command, Option } from "commander";

/** What the command line says of a cluster. */
export interface ClusterOptions {
  readonly cluster?: true;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly systemNamespace?: string;
  /** `name` in the system's namespace, or `namespace/name`. */
  readonly serviceAccount?: string;
  readonly tokenFile?: string;
}

/** Namespace of agents where neither the command line nor the kubeconfig names one. */
export const defaultAgentsNamespace = "agents";
export const defaultSystemNamespace = "copepod";

/** As `kubectl copepod` starts this program. */
const pluginName = "kubectl-copepod";

const options = [
  new Option("--cluster", "work on the cluster of the kubeconfig; any of the options below says so too"),
  new Option("--kubeconfig <file>", "how the cluster is reached (default: $KUBECONFIG, or ~/.kube/config)"),
  new Option("--context <name>", "context of the kubeconfig (default: its current one)"),
  new Option(
    "-n, --namespace <name>",
    `namespace of agents (default: that of the context, or "${defaultAgentsNamespace}")`,
  ),
  new Option("--system-namespace <name>", `namespace of Copepod's programs (default: "${defaultSystemNamespace}")`),
  new Option(
    "--service-account <name>",
    "as whom the router is called: a name in the namespace of Copepod's programs, or namespace/name (default: copepod-admin)",
  ),
  new Option("--token-file <file>", "token for the router, in place of one that is asked for").conflicts(
    "serviceAccount",
  ),
];

const clusterNames = [
  "cluster",
  "kubeconfig",
  "context",
  "namespace",
  "systemNamespace",
  "serviceAccount",
  "tokenFile",
];

export function addClusterOptions(program: Command): Command {
  for (const option of options) program.addOption(option.helpGroup("Options for a cluster:"));
  return program;
}

/** Whether a command is meant for a cluster, and not for this machine. */
export const isForCluster = (programName: string, given: object): boolean =>
  programName === pluginName || clusterNames.some((name) => Reflect.get(given, name) !== undefined);
