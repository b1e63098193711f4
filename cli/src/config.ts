import { resolve } from "node:path";
import { environment } from "@copepod/core/environment";
import { parseInput } from "@copepod/core/errors";
import { z } from "zod";
import type { Environment } from "./supervisor/commands.ts";

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
  XDG_RUNTIME_DIR: z.string().optional().describe("Where the system keeps sockets of this person's programs."),
});

export interface CliConfig {
  /** Absolute path of `$COPEPOD_HOME`. */
  readonly home: string;
  /** Where the system keeps sockets of this person's programs. */
  readonly runtimeDir: string | undefined;
  readonly logLevel: string;
  /** What children may take values from; never passed on as a whole. */
  readonly own: Environment;
}

/** An empty variable counts as one that is not set. @param cwd what a relative home starts from. */
export function readConfig(env: Environment, cwd: string): CliConfig {
  const read = parseInput(environmentSchema, Object.fromEntries(Object.entries(env).filter(([, value]) => value)));
  return {
    home: resolve(cwd, read[environment.home]),
    runtimeDir: read.XDG_RUNTIME_DIR,
    logLevel: read[environment.logLevel],
    own: env,
  };
}
