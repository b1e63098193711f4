import { resolve } from "node:path";
import { environment } from "@copepod/core/environment";
import type { Environment } from "./supervisor/commands.ts";

export interface CliConfig {
  /** Absolute path of `$COPEPOD_HOME`. */
  readonly home: string;
  /** Where the system keeps sockets of this person's programs. */
  readonly runtimeDir: string | undefined;
  readonly logLevel: string;
  /** What children may take values from; never passed on as a whole. */
  readonly own: Environment;
}

/** @param cwd what a relative home starts from. */
export function readConfig(env: Environment, cwd: string): CliConfig {
  return {
    home: resolve(cwd, env[environment.home] || ".copepod"),
    runtimeDir: env.XDG_RUNTIME_DIR || undefined,
    logLevel: env[environment.logLevel] || "info",
    own: env,
  };
}
