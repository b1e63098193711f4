import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { defaultHarnessesDir } from "@copepod/agent-image/harnesses/harness";
import { environment } from "@copepod/core/environment";
import { parseInput } from "@copepod/core/errors";
import { z } from "zod";
import type { ModelEnvironment } from "./home/model-choice.ts";
import type { Environment } from "./supervisor/commands.ts";
import { defaultImage } from "./supervisor/sandbox/engine.ts";

/** Keys, and what belongs to them: no child gets them. */
const modelVariables: ReadonlySet<string> = new Set([
  "ANTHROPIC_API_KEY",
  "ANTHROPIC_BASE_URL",
  "ANTHROPIC_AUTH_TOKEN",
  "CLAUDE_CODE_OAUTH_TOKEN",
  "OPENAI_API_KEY",
]);

const modelVariable = (what: string) =>
  z.string().optional().describe(`${what} Only the first run reads it, for its sample agent; no child gets it.`);

/** Environment that a person may set. `docs/reference/environment.md` is generated from it. */
export const environmentSchema = z.object({
  [environment.home]: z
    .string()
    .default(".copepod")
    .describe("Folder of resources, queue, volumes and logs. A relative one starts at the working folder."),
  [environment.logLevel]: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"])
    .default("info")
    .describe("Least level that the programs log."),
  [environment.harnessesDir]: z
    .string()
    .optional()
    .describe(
      "Folder in which harnesses are installed (default: `copepod/harnesses` in `$XDG_CACHE_HOME`, or ~/.cache).",
    ),
  [environment.sandboxImage]: z
    .string()
    .default(defaultImage)
    .describe("Image of sessions with `--sandbox docker` or `podman`: one with glibc and the tools of an agent."),
  ANTHROPIC_API_KEY: modelVariable("Key of Anthropic's API."),
  ANTHROPIC_BASE_URL: modelVariable("Base URL of an API like Anthropic's."),
  ANTHROPIC_AUTH_TOKEN: modelVariable("Bearer token for `ANTHROPIC_BASE_URL`, where there is no `ANTHROPIC_API_KEY`."),
  CLAUDE_CODE_OAUTH_TOKEN: modelVariable("Token of a Claude subscription."),
  OPENAI_API_KEY: modelVariable("Key of OpenAI's API."),
  KUBECONFIG: z
    .string()
    .optional()
    .describe("Files that say how a cluster is reached, as for kubectl (default: ~/.kube/config)."),
  XDG_RUNTIME_DIR: z.string().optional().describe("Where the system keeps sockets of this person's programs."),
});

export interface CliConfig {
  /** Absolute path of `$COPEPOD_HOME`. */
  readonly home: string;
  /** Where the system keeps sockets of this person's programs. */
  readonly runtimeDir: string | undefined;
  readonly logLevel: string;
  /** Files that say how a cluster is reached; see `KubeconfigSource`. */
  readonly kubeconfigs: readonly [string, ...string[]];
  /** Absolute path of the folder in which harnesses are installed. */
  readonly harnessesDir: string;
  /** Image of sessions that run in containers. */
  readonly sandboxImage: string;
  /** Model APIs that the environment names. */
  readonly models: ModelEnvironment;
  /** What children may take values from, without keys. */
  readonly own: Environment;
}

/** An empty variable counts as one that is not set. @param cwd what a relative home starts from. */
export function readConfig(env: Environment, cwd: string): CliConfig {
  const read = parseInput(environmentSchema, Object.fromEntries(Object.entries(env).filter(([, value]) => value)));
  return {
    home: resolve(cwd, read[environment.home]),
    runtimeDir: read.XDG_RUNTIME_DIR,
    logLevel: read[environment.logLevel],
    kubeconfigs: kubeconfigsOf(read.KUBECONFIG, env.HOME || homedir()),
    harnessesDir: resolve(cwd, defaultHarnessesDir(env, env.HOME || homedir())),
    sandboxImage: read[environment.sandboxImage],
    models: {
      anthropicKey: read.ANTHROPIC_API_KEY,
      anthropicToken: read.ANTHROPIC_AUTH_TOKEN,
      anthropicBaseUrl: read.ANTHROPIC_BASE_URL,
      claudeToken: read.CLAUDE_CODE_OAUTH_TOKEN,
      openaiKey: read.OPENAI_API_KEY,
    },
    own: Object.fromEntries(Object.entries(env).filter(([name]) => !modelVariables.has(name))),
  };
}

function kubeconfigsOf(given: string | undefined, userHome: string): readonly [string, ...string[]] {
  const [first = join(userHome, ".kube", "config"), ...others] = (given ?? "").split(delimiter).filter(Boolean);
  return [first, ...others];
}
