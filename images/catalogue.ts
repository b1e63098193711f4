import type { HarnessName } from "@copepod/agent-image/harnesses/harness";
import { podIds, systemId } from "@copepod/core/cluster";
import { environment } from "@copepod/core/environment";
import { nodeFlags } from "@copepod/credential-proxy/node-flags";
import { harnessesDir } from "./parts/harness.ts";
import { mainFile, type Program } from "./parts/programs.ts";
import type { RootName } from "./parts/roots.ts";

export const imageNames = [
  ...(["router", "operator", "credential-proxy"] as const),
  ...(["agent", "agent-claude", "agent-codex", "agent-opencode"] as const),
] as const;
export type ImageName = (typeof imageNames)[number];

export interface ImagePlan {
  readonly title: string;
  readonly root: RootName;
  readonly program: Program;
  readonly harness?: HarnessName;
  readonly entrypoint: readonly string[];
  /** Number of user and group. */
  readonly user: number;
  readonly env: Readonly<Record<string, string>>;
}

const node = (...flags: readonly string[]) => ["/usr/local/bin/node", ...flags, mainFile];
/** Node is killed by no signal that it does not handle when it is the first process, and reaps no orphans. */
const init = ["/usr/bin/tini", "--"];

const systemEnv = { PATH: "/usr/local/bin" };

const system = { root: "system", user: systemId, entrypoint: node("--disable-sigusr1"), env: systemEnv } as const;

const agent = (title: string, harness?: HarnessName): ImagePlan => ({
  title,
  root: "agent",
  program: { main: "agent-image/runner/main.ts", hasHarnesses: true },
  ...(harness ? { harness } : {}),
  entrypoint: [...init, ...node()],
  user: podIds.agent,
  env: {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    LANG: "C.UTF-8",
    ...(harness ? { [environment.harnessesDir]: harnessesDir } : {}),
  },
});

export const plans: Readonly<Record<ImageName, ImagePlan>> = {
  router: {
    ...system,
    title: "Copepod's router",
    program: {
      main: "router/src/main.ts",
      threads: ["router/src/queue/sqlite/queue-thread.ts", "router/src/queue/sqlite/backup-thread.ts"],
      native: ["better-sqlite3"],
    },
  },
  operator: { ...system, title: "Copepod's operator", program: { main: "operator/src/main.ts" } },
  "credential-proxy": {
    ...system,
    title: "Copepod's credential-proxy",
    program: { main: "credential-proxy/src/main.ts" },
    entrypoint: node(...nodeFlags),
    user: podIds.proxy,
  },
  agent: agent("Copepod's agent, without a harness"),
  "agent-claude": agent("Copepod's agent with Claude", "claude"),
  "agent-codex": agent("Copepod's agent with Codex", "codex"),
  "agent-opencode": agent("Copepod's agent with OpenCode", "opencode"),
};
