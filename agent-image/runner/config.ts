import { join } from "node:path";
import { environment } from "@copepod/core/environment";
import { parseInput } from "@copepod/core/errors";
import { socketPathSchema } from "@copepod/core/router-address";
import { z } from "zod";

/**
 * What keeps the session apart from the machine. `pod`: its container in a cluster; `none`: nothing does; `waived`:
 * nothing does, as the person asked for.
 */
const sandboxes = ["bubblewrap", "docker", "podman", "pod", "none", "waived"] as const;
export type Sandbox = (typeof sandboxes)[number];

/** What the runner reads from its environment. */
export const environmentSchema = z.object({
  [environment.proxySocket]: socketPathSchema.describe(
    "Path of the Unix socket where the session's credential-proxy listens; the runner waits until it is there.",
  ),
  [environment.placeholder]: z
    .string()
    .min(16)
    .describe(
      "The session's random placeholder; authenticates the runner at its proxy, and is worth nothing elsewhere.",
    ),
  [environment.workspace]: z.string().min(1).describe("The session's own folder; HOME is `home` below it."),
  [environment.agentDir]: z.string().min(1).describe("The agent group's folder, with memory and files."),
  [environment.teamDir]: z
    .string()
    .min(1)
    .optional()
    .describe("Folder of the workspaces that the agent group shares with others, one folder each."),
  [environment.instructionsDir]: z
    .string()
    .min(1)
    .optional()
    .describe("Folder with the composed instructions, which the agent can only read. Handed on to the provider."),
  [environment.sandbox]: z
    .enum(sandboxes)
    .default("none")
    .describe("What keeps the session apart from the machine; with `none`, providers that run commands are refused."),
  [environment.harnessesDir]: z.string().min(1).optional().describe("Folder in which harnesses are installed."),
  [environment.logLevel]: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"])
    .default("info")
    .describe("Least level of the log lines on stdout."),
  [environment.endWithStdin]: z
    .enum(["0", "1"])
    .default("0")
    .describe("`1` = end when stdin closes: the program is the child of a supervisor."),
  PATH: z.string().default("/usr/local/bin:/usr/bin:/bin").describe("Where the provider's processes find programs."),
  LANG: z.string().default("C.UTF-8").describe("Locale of the provider's processes."),
});

export interface RunnerConfig {
  readonly proxySocket: string;
  readonly placeholder: string;
  readonly workspace: string;
  readonly agentDir: string;
  /** undefined = the agent group shares nothing. */
  readonly teamDir: string | undefined;
  readonly sandbox: Sandbox;
  readonly harnessesDir: string | undefined;
  readonly logLevel: z.output<typeof environmentSchema>["COPEPOD_LOG_LEVEL"];
  readonly endWithStdin: boolean;
  /** All that the provider's processes get: a list of what is given, not of what is held back. */
  readonly providerEnv: Readonly<Record<string, string>>;
}

/** @throws CopepodError `invalid` that names the variable. */
export function readConfig(env: NodeJS.ProcessEnv): RunnerConfig {
  const values = parseInput(environmentSchema, env);
  const workspace = values[environment.workspace];
  const agentDir = values[environment.agentDir];
  const teamDir = values[environment.teamDir];
  const instructionsDir = values[environment.instructionsDir];
  return {
    proxySocket: values[environment.proxySocket],
    placeholder: values[environment.placeholder],
    workspace,
    agentDir,
    teamDir,
    sandbox: values[environment.sandbox],
    harnessesDir: values[environment.harnessesDir],
    logLevel: values[environment.logLevel],
    endWithStdin: values[environment.endWithStdin] === "1",
    providerEnv: {
      PATH: values.PATH,
      LANG: values.LANG,
      HOME: join(workspace, "home"),
      [environment.workspace]: workspace,
      [environment.agentDir]: agentDir,
      ...(teamDir === undefined ? {} : { [environment.teamDir]: teamDir }),
      ...(instructionsDir === undefined ? {} : { [environment.instructionsDir]: instructionsDir }),
    },
  };
}
