import { environment } from "@copepod/core/environment";
import { parseInput } from "@copepod/core/errors";
import { z } from "zod";

/** The longest path that a Unix socket may have. */
const maxSocketPath = 107;

/** What the credential-proxy reads from its environment. */
export const environmentSchema = z.object({
  [environment.proxySocket]: z
    .string()
    .min(1)
    .max(maxSocketPath)
    .describe("Path of the Unix socket where the proxy listens for the runner. Made with mode 0600."),
  [environment.socketOwner]: z
    .string()
    .regex(/^\d{1,10}:\d{1,10}$/)
    .optional()
    .describe("`uid:gid` that gets the socket, where the runner is another user than the proxy."),
  [environment.placeholder]: z
    .string()
    .min(16)
    .describe("The session's random placeholder, by which the runner authenticates itself."),
  [environment.mailboxSocket]: z
    .string()
    .min(1)
    .max(maxSocketPath)
    .describe("Path of the Unix socket where the router serves the mailbox."),
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
  readonly proxySocket: string;
  /** uid and gid that get the socket; undefined = it stays our own. */
  readonly socketOwner: readonly [uid: number, gid: number] | undefined;
  readonly placeholder: string;
  readonly mailboxSocket: string;
  readonly tokenFile: string;
  readonly rulesFile: string;
  readonly keysDir: string;
  readonly instructionsDir: string;
  readonly logLevel: z.output<typeof environmentSchema>["COPEPOD_LOG_LEVEL"];
  readonly endWithStdin: boolean;
}

/** @throws CopepodError `invalid` that names the variable. */
export function readConfig(env: NodeJS.ProcessEnv): ProxyConfig {
  const values = parseInput(environmentSchema, env);
  const [uid, gid] = values[environment.socketOwner]?.split(":").map(Number) ?? [];
  return {
    proxySocket: values[environment.proxySocket],
    socketOwner: uid === undefined || gid === undefined ? undefined : [uid, gid],
    placeholder: values[environment.placeholder],
    mailboxSocket: values[environment.mailboxSocket],
    tokenFile: values[environment.tokenFile],
    rulesFile: values[environment.rulesFile],
    keysDir: values[environment.keysDir],
    instructionsDir: values[environment.instructionsDir],
    logLevel: values[environment.logLevel],
    endWithStdin: values[environment.endWithStdin] === "1",
  };
}
