import { mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Effort } from "@copepod/core/agent";
import { emptyAgentFolder, onDisk, writeAgentFile } from "../../runner/agent-files.ts";
import type { McpServer, ProviderDeps, ProviderUpstream } from "../provider.ts";

/** Name of the one model API in OpenCode's own settings. */
export const providerId = "copepod";

/**
 * What OpenCode takes a model for that no catalogue tells it about: when the context nears its end it is summarised, and
 * no answer is asked to be longer. Tokens.
 */
const limits = {
  Anthropic: { context: 200_000, output: 32_000 },
  OpenAI: { context: 128_000, output: 8_192 },
} as const;

/** In place of OpenCode's own, which speaks of a terminal and of commands that nobody here has. The instructions follow it. */
const systemPrompt =
  "You are an agent that works for the people who write to you, with the tools that you are given. Find out rather than " +
  "guess, read a file before you change it, check what you have done, and keep your answers short.";

/** A version of the plug-in interface that OpenCode finds and therefore does not fetch; nothing here uses it. */
const presentPlugin = { packages: { "": { dependencies: { "@opencode-ai/plugin": "*" } } } };

export interface Home {
  readonly env: Readonly<Record<string, string>>;
  /** For what OpenCode unpacks; emptied before each start. */
  readonly tmpDir: string;
}

/** Makes the folders of the session's own OpenCode, and writes its settings. */
export async function prepareHome(deps: ProviderDeps, upstream: ProviderUpstream, model: string): Promise<Home> {
  const home = join(deps.workspace, "home");
  const xdg = {
    XDG_CONFIG_HOME: join(home, ".config"),
    XDG_DATA_HOME: join(home, ".local", "share"),
    XDG_STATE_HOME: join(home, ".local", "state"),
    XDG_CACHE_HOME: join(home, ".cache"),
  };
  const tmpDir = join(xdg.XDG_CACHE_HOME, "opencode-tmp");
  const configDir = join(xdg.XDG_CONFIG_HOME, "opencode");
  const modules = join(configDir, "node_modules");
  await emptyAgentFolder(tmpDir);
  await onDisk(modules, mkdir(modules, { recursive: true }));
  await writeAgentFile(join(configDir, "package-lock.json"), JSON.stringify(presentPlugin));
  const settings = JSON.stringify(toSettings(deps, upstream, model));
  await writeAgentFile(join(configDir, "opencode.json"), settings, 0o600);
  const PATH = [deps.env.PATH, join(deps.harnessDir, ripgrepDir)].filter(Boolean).join(delimiter);
  return { tmpDir, env: { ...deps.env, PATH, HOME: home, ...xdg, TMPDIR: tmpDir, ...switches } };
}

/** OpenCode's tools search with ripgrep, and would load it from the Internet. */
const ripgrepDir = join("node_modules", "@vscode", "ripgrep-linux-x64", "bin");

const switches = {
  // What the agent group says counts, not what lies in the workspace.
  OPENCODE_DISABLE_PROJECT_CONFIG: "1",
  OPENCODE_DISABLE_CLAUDE_CODE: "1",
  OPENCODE_DISABLE_EXTERNAL_SKILLS: "1",
  OPENCODE_DISABLE_DEFAULT_PLUGINS: "1",
  // There is no way out but to the model API.
  OPENCODE_DISABLE_MODELS_FETCH: "1",
  OPENCODE_DISABLE_AUTOUPDATE: "1",
  OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
  OPENCODE_DISABLE_SHARE: "1",
  // Nobody looks at it.
  OPENCODE_DISABLE_EMBEDDED_WEB_UI: "1",
  OPENCODE_EXPERIMENTAL_DISABLE_FILEWATCHER: "1",
  OPENCODE_DISABLE_TERMINAL_TITLE: "1",
};

function toSettings(deps: ProviderDeps, upstream: ProviderUpstream, model: string) {
  const name = `${providerId}/${model}`;
  return {
    model: name,
    small_model: name,
    agent: { build: { prompt: systemPrompt } },
    enabled_providers: [providerId],
    provider: { [providerId]: toProvider(upstream, model, deps.effort) },
    // The session is sandboxed, and nobody is there to be asked.
    permission: { "*": "allow", question: "deny" },
    mcp: Object.fromEntries(deps.mcpServers.map((server) => [server.name, toMcp(server)])),
    skills: { paths: deps.skills.map((skill) => skill.path) },
    ...{ autoupdate: false, share: "disabled", snapshot: false, lsp: false, formatter: false },
  };
}

function toProvider({ api, baseUrl, placeholder }: ProviderUpstream, model: string, effort: Effort | undefined) {
  const options = effort === undefined ? {} : { options: toEffort(effort)[api] };
  const models = { [model]: { tool_call: true, attachment: false, limit: limits[api], ...options } };
  const isAnthropic = api === "Anthropic";
  return {
    npm: isAnthropic ? "@ai-sdk/anthropic" : "@ai-sdk/openai-compatible",
    name: "Copepod",
    options: { baseURL: isAnthropic ? `${baseUrl}/v1` : baseUrl, apiKey: placeholder },
    models,
  };
}

function toEffort(effort: Effort) {
  const word = effort.toLowerCase();
  return { Anthropic: { effort: word }, OpenAI: { reasoningEffort: word } };
}

function toMcp(server: McpServer) {
  switch (server.kind) {
    case "http":
      return { type: "remote", url: server.url, headers: server.headers, oauth: false };
    case "stdio":
      return { type: "local", command: [server.command, ...server.args], environment: server.env };
  }
}
