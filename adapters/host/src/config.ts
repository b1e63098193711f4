import { environment } from "@copepod/core/environment";
import { parseInput } from "@copepod/core/errors";
import { type RouterAddress, readRouterAddress, routerUrlSchema, socketPathSchema } from "@copepod/core/router-address";
import { z } from "zod";

/** What the environment of an adapter host means. Everything about the channel itself comes with the router's hello. */
export const environmentSchema = z.object({
  [environment.channelSocket]: socketPathSchema.optional().describe("Unix socket of the router's channel API."),
  [environment.channelUrl]: routerUrlSchema
    .optional()
    .describe("In a cluster, in the place of the socket: the router's channel API, as `http://<host>:<port>`."),
  [environment.tokenFile]: z
    .string()
    .min(1)
    .describe("File with the token that tells the router which channel this is; read anew for each call."),
  [environment.channelType]: z.string().min(1).describe("Which adapter to run, for example `test`."),
  [environment.logLevel]: z
    .enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"])
    .default("info")
    .describe("How much is logged."),
  [environment.endWithStdin]: z
    .enum(["0", "1"])
    .default("0")
    .describe("`1` = end when stdin closes: the program is the child of a supervisor."),
});

export interface Config {
  readonly router: RouterAddress;
  readonly tokenFile: string;
  readonly channelType: string;
  readonly logLevel: string;
  readonly endWithStdin: boolean;
}

/** @throws CopepodError `invalid` that names the variable. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const values = parseInput(environmentSchema, env);
  return {
    router: readRouterAddress(
      { name: environment.channelSocket, value: values[environment.channelSocket] },
      { name: environment.channelUrl, value: values[environment.channelUrl] },
    ),
    tokenFile: values.COPEPOD_TOKEN_FILE,
    channelType: values.COPEPOD_CHANNEL_TYPE,
    logLevel: values.COPEPOD_LOG_LEVEL,
    endWithStdin: values.COPEPOD_END_WITH_STDIN === "1",
  };
}
