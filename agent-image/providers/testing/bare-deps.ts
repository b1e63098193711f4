import { CopepodError } from "@copepod/core/errors";
import { pino } from "pino";
import { realTime } from "../../runner/time.ts";
import type { ProviderDeps } from "../provider.ts";

const nowhere = async (): Promise<never> => {
  throw new CopepodError("destinationUnknown", "the test has no destinations");
};

/** What a provider gets at the least: one folder for everything, no model API, no tools that reach anybody. */
export const bareDeps = (folder: string): ProviderDeps => ({
  workspace: folder,
  agentDir: folder,
  env: {},
  model: undefined,
  effort: undefined,
  upstreams: [],
  mcpServers: [],
  skills: [],
  tools: { sendMessage: nowhere, sendFile: nowhere },
  harnessDir: "",
  time: realTime,
  log: pino({ level: "silent" }),
});
