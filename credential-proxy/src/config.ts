import { environment } from "@copepod/core/environment";
import { parseInput } from "@copepod/core/errors";
import { type RouterAddress, readRouterAddress, routerUrlSchema, socketPathSchema } from "@copepod/core/router-address";
import { z } from "zod";
import type { SocketPlace } from "./front/server.ts";

/** What the credential-proxy reads from its environment. */
export const environmentSchema = z.object({
  [environment.proxySocket]: socketPathSchema.describe(
    "Path of the Unix socket where the proxy listens for the runner. Made with mode 0600; in a cluster with 0660, since there the group of its folder is the runner's.",
  ),
  [environment.socketOwner]: z
    .string()
    .regex(/^\d{1,10}:\d{1,10}$/)
    .optional()
    .describe("`uid:gid` that gets the socket, where the runner is another user than the proxy."),
  [environment.placeholder]: z
    .string()
    .min(16)
    .describe("The session's random placeholder, by which the runner authenticates itself."),
  [environment.mailboxSocket]: socketPathSchema
    .optional()
    .describe("Path of the Unix socket where the router serves the mailbox."),
  [environment.mailboxUrl]: routerUrlSchema
    .optional()
    .describe(
      "In a cluster, in the place of the socket: where the router serves the mailbox, as `http://<host>:<port>`.",
    ),
  [environment.tokenFile]: z
    .string()
    .min(1)
    .describe("File with the token that proves the session to the router; read anew when it changes."),
  [environment.rulesFile]: z
    .string()
    .min(1)
    .describe("JSON file with the rules of the session's model APIs; read anew when it changes."),
  [environment.keysDir]: z.string().min(1).describe("Folder of keys: `<secret>/<key>`; read anew when they change."),
  [environment.instructionsDir]: z
    .string()
    .min(1)
    .describe("Folder where the proxy writes the composed instructions as `instructions.md`."),
  [environment.metricsPort]: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe("TCP port of `/healthz`, `/readyz` and `/metrics`; without it they are not served. 0 = any free one."),
  [environment.logLevel]: z
    .enum(["fatal", "error", "warn", "info", "debug", "trace", "silent"])
    .default("info")
    .describe("Least level of the log lines on stdout."),
  [environment.endWithStdin]: z
    .enum(["0", "1"])
    .default("0")
    .describe("`1` = end when stdin closes: the program is the child of a supervisor."),
});

export interface ProxyConfig {
  readonly socket: SocketPlace;
  readonly placeholder: string;
  readonly router: RouterAddress;
  readonly tokenFile: string;
  readonly rulesFile: string;
  readonly keysDir: string;
  readonly instructionsDir: string;
  /** undefined = neither health nor metrics are served. */
  readonly metricsPort: number | undefined;
  readonly logLevel: z.output<typeof environmentSchema>["COPEPOD_LOG_LEVEL"];
  readonly endWithStdin: boolean;
}

/** @throws CopepodError `invalid` that names the variable. */
export function readConfig(env: NodeJS.ProcessEnv): ProxyConfig {
  const values = parseInput(environmentSchema, env);
  const router = readRouterAddress(
    { name: environment.mailboxSocket, value: values[environment.mailboxSocket] },
    { name: environment.mailboxUrl, value: values[environment.mailboxUrl] },
  );
  const [uid, gid] = values[environment.socketOwner]?.split(":").map(Number) ?? [];
  return {
    socket: {
      path: values[environment.proxySocket],
      owner: uid === undefined || gid === undefined ? undefined : [uid, gid],
      forGroup: router.kind === "url",
    },
    placeholder: values[environment.placeholder],
    router,
    tokenFile: values[environment.tokenFile],
    rulesFile: values[environment.rulesFile],
    keysDir: values[environment.keysDir],
    instructionsDir: values[environment.instructionsDir],
    metricsPort: values[environment.metricsPort],
    logLevel: values[environment.logLevel],
    endWithStdin: values[environment.endWithStdin] === "1",
  };
}
