import { existsSync, readdirSync } from "node:fs";
import { mkdir, readdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import { onDisk, writeAgentFile } from "../../runner/agent-files.ts";
import type { McpServer, ProviderDeps, ProviderUpstream, Skill } from "../provider.ts";

/** Further tries of a request and its stream. The runner repeats the turn as a whole, so a few are enough. */
const streamMaxRetries = 2;
/** These would multiply with the tries of the stream. */
const requestMaxRetries = 0;
/** An MCP server has this long to start, and to answer a call. */
const mcpStartSeconds = 30;
export const mcpCallSeconds = 10 * 60;
/** Name of the variable with the placeholder. */
const keyVariable = "COPEPOD_MODEL_KEY";

/** The program itself; the package's own start script would only look for it, and stay as a parent. */
export function findCodex(harnessDir: string): { readonly binary: string; readonly toolsDir: string } {
  const vendor = join(harnessDir, "node_modules", "@openai", `codex-${process.platform}-${process.arch}`, "vendor");
  const [target] = existsSync(vendor) ? readdirSync(vendor) : [];
  if (target === undefined) {
    const place = `${process.platform} on ${process.arch}`;
    throw new CopepodError("providerMissing", `the harness codex is not installed for ${place}; install it anew`);
  }
  return { binary: join(vendor, target, "bin", "codex"), toolsDir: join(vendor, target, "codex-path") };
}

/** Environment of the process; writes what it reads from its home. The conversations of the session stay there. */
export async function prepareHome(
  deps: ProviderDeps,
  upstream: ProviderUpstream,
  toolsDir: string,
): Promise<Record<string, string>> {
  const home = join(deps.env.HOME ?? join(deps.workspace, "home"), ".codex");
  const skillsFolder = join(home, "skills");
  await writeAgentFile(join(home, "config.toml"), toToml(configOf(deps, upstream)), 0o600);
  await onDisk(skillsFolder, linkSkills(skillsFolder, deps.skills));
  const path = [toolsDir, deps.env.PATH].filter((folder) => folder !== undefined).join(":");
  return { ...deps.env, PATH: path, CODEX_HOME: home, [keyVariable]: upstream.placeholder };
}

function configOf({ mcpServers }: ProviderDeps, upstream: ProviderUpstream): object {
  return {
    model_provider: "copepod",
    model_providers: {
      copepod: {
        name: "Copepod",
        base_url: upstream.baseUrl,
        wire_api: "responses",
        env_key: keyVariable,
        request_max_retries: requestMaxRetries,
        stream_max_retries: streamMaxRetries,
      },
    },
    // The session as a whole is sandboxed, and nobody is there to be asked.
    approval_policy: "never",
    sandbox_mode: "danger-full-access",
    // Instructions come from Copepod alone.
    project_doc_max_bytes: 0,
    skills: { bundled: { enabled: false } },
    // Nothing but the model is called.
    check_for_update_on_startup: false,
    analytics: { enabled: false },
    // Goals and agents of its own would work on after the turn, and belong to no message.
    agents: { enabled: false },
    features: { plugins: false, apps: false, goals: false },
    mcp_servers: Object.fromEntries(mcpServers.map((server) => [server.name, toMcpConfig(server)])),
  };
}

function toMcpConfig(server: McpServer): object {
  const times = { startup_timeout_sec: mcpStartSeconds, tool_timeout_sec: mcpCallSeconds };
  switch (server.kind) {
    case "http":
      return { url: server.url, http_headers: server.headers, ...times };
    case "stdio":
      return { command: server.command, args: server.args, env: server.env, ...times };
  }
}

/** One key a line, its value in the inline form. */
const toToml = (config: object): string =>
  Object.entries(config)
    .map(([key, value]) => `${key} = ${toTomlValue(value)}\n`)
    .join("");

function toTomlValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toTomlValue).join(", ")}]`;
  if (typeof value !== "object" || value === null) return toTomlScalar(value);
  return `{ ${Object.entries(value)
    .map(([key, inner]) => `${toTomlScalar(key)} = ${toTomlValue(inner)}`)
    .join(", ")} }`;
}

/** JSON's strings, numbers and booleans are TOML's too, but for one character and halves of a pair. */
const toTomlScalar = (value: unknown): string =>
  JSON.stringify(typeof value === "string" ? value.toWellFormed() : value).replaceAll("\u007f", "\\u007f");

/** Links that are there already may lead to skills that the group no longer has. */
async function linkSkills(folder: string, skills: readonly Skill[]): Promise<void> {
  const names = new Set(skills.map(({ name }) => name));
  await mkdir(folder, { recursive: true });
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isSymbolicLink() && !names.has(entry.name)) continue;
    await rm(join(folder, entry.name), { recursive: true, force: true });
  }
  for (const { name, path } of skills) await symlink(path, join(folder, name), "dir");
}
