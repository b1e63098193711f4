import { join } from "node:path";
import type { Effort } from "@copepod/core/agent";
import type { McpServer, ProviderDeps, ProviderUpstream } from "../provider.ts";
import type { Hook, SdkMcpServer, SdkOptions, SpawnedProcess, SpawnRequest } from "./sdk.ts";

/** Tries of one request by the harness: enough for a short outage. Longer ones are the queue's. */
const maxRetries = 3;
/** Tokens after which the harness compacts, also where a model would take more: they are paid with each request. */
const autoCompactTokens = 160_000;

const efforts: Readonly<Record<Effort, "low" | "medium" | "high">> = { Low: "low", Medium: "medium", High: "high" };

/** Tools that need a person at the terminal, or that go on after the turn, where nobody reads them. */
const disallowedTools = [
  "AskUserQuestion",
  "CronCreate",
  "CronDelete",
  "CronList",
  "EnterPlanMode",
  "EnterWorktree",
  "ExitPlanMode",
  "ExitWorktree",
  "ListAgents",
  "Monitor",
  "ReportFindings",
  "ScheduleWakeup",
  "SendMessage",
  "Workflow",
];

/** Folder of the harness's own state below the session's home: transcripts, settings, skills. */
export const configDirOf = ({ env, workspace }: ProviderDeps): string =>
  join(env.HOME ?? join(workspace, "home"), ".claude");

/** Folder of temporary files, one per session: the harness opens sockets there. */
export const tempDirOf = ({ env, workspace }: ProviderDeps): string =>
  env.TMPDIR ?? join(env.HOME ?? join(workspace, "home"), "tmp");

export interface Wishes {
  readonly upstream: ProviderUpstream;
  readonly instructions: string;
  /** Id of the harness's session. */
  readonly resume: string | undefined;
  readonly onPrompt: Hook;
  readonly onCompact: Hook;
  readonly spawn: (request: SpawnRequest) => SpawnedProcess;
}

export function toOptions(deps: ProviderDeps, wishes: Wishes): SdkOptions {
  const { workspace, agentDir, model, effort, skills } = deps;
  return {
    cwd: workspace,
    additionalDirectories: [agentDir],
    env: toEnvironment(deps, wishes.upstream),
    ...(model === undefined ? {} : { model }),
    ...(effort === undefined ? {} : { effort: efforts[effort] }),
    ...(wishes.resume === undefined ? {} : { resume: wishes.resume }),
    systemPrompt: { type: "preset", preset: "claude_code", append: wishes.instructions, snapshot: false },
    // It would ask a host that no session reaches.
    settings: { skipWebFetchPreflight: true },
    settingSources: ["user"],
    permissionMode: "bypassPermissions",
    allowDangerouslySkipPermissions: true,
    disallowedTools,
    skills: skills.map(({ name }) => name),
    mcpServers: Object.fromEntries(deps.mcpServers.map((server) => [server.name, toMcpServer(server)])),
    mcpServersDelivery: "initialize",
    strictMcpConfig: true,
    includePartialMessages: true,
    hooks: {
      UserPromptSubmit: [{ hooks: [wishes.onPrompt] }],
      PreCompact: [{ hooks: [wishes.onCompact] }],
    },
    spawnClaudeCodeProcess: wishes.spawn,
  };
}

function toMcpServer(server: McpServer): SdkMcpServer {
  switch (server.kind) {
    case "http":
      return { type: "http", url: server.url, headers: server.headers, alwaysLoad: true };
    case "stdio":
      return { type: "stdio", command: server.command, args: server.args, env: server.env, alwaysLoad: true };
  }
}

function toEnvironment(deps: ProviderDeps, upstream: ProviderUpstream): Record<string, string> {
  return {
    ...deps.env,
    TMPDIR: tempDirOf(deps),
    CLAUDE_CONFIG_DIR: configDirOf(deps),
    CLAUDE_AGENT_SDK_CLIENT_APP: "copepod",
    // Otherwise it refuses to work as root; the session is sandboxed by others.
    IS_SANDBOX: "1",
    ANTHROPIC_BASE_URL: upstream.baseUrl,
    [upstream.subscription ? "CLAUDE_CODE_OAUTH_TOKEN" : "ANTHROPIC_AUTH_TOKEN"]: upstream.placeholder,
    ...otherModels(deps.model),
    CLAUDE_CODE_MAX_RETRIES: String(maxRetries),
    CLAUDE_CODE_AUTO_COMPACT_WINDOW: String(autoCompactTokens),
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    DISABLE_TELEMETRY: "1",
    DISABLE_ERROR_REPORTING: "1",
    DISABLE_AUTOUPDATER: "1",
    // All tools are in the request: one that has to be searched for is not found.
    ENABLE_TOOL_SEARCH: "false",
    // What goes on after the turn has nobody to tell.
    CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: "1",
    // Memory is the agent group's, not one session's.
    CLAUDE_CODE_DISABLE_AUTO_MEMORY: "1",
    CLAUDE_CODE_DISABLE_BUNDLED_SKILLS: "1",
    // A person's "@name" is a person, not a file.
    CLAUDE_CODE_DISABLE_FILE_MENTIONS: "1",
  };
}

/** The harness gives small tasks to models of its own choice; an API without Claude knows only the one that is named. */
function otherModels(model: string | undefined): Record<string, string> {
  if (model === undefined || /claude|opus|sonnet|haiku/i.test(model)) return {};
  return {
    ANTHROPIC_DEFAULT_HAIKU_MODEL: model,
    ANTHROPIC_DEFAULT_SONNET_MODEL: model,
    ANTHROPIC_DEFAULT_OPUS_MODEL: model,
  };
}
