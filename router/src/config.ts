import { join } from "node:path";
import { environment } from "@copepod/core/environment";
import { parseInput } from "@copepod/core/errors";
import { z } from "zod";

const dayMs = 24 * 60 * 60_000;
const defaultRetentionDays = 30;

/** Environment of the router. `docs/reference/environment.md` is generated from it. */
export const environmentSchema = z.object({
  [environment.home]: z.string().min(1).describe("Folder with the resources, the queue database and the volumes."),
  [environment.mailboxSocket]: z.string().min(1).describe("Unix socket on which the mailbox API is served."),
  [environment.channelSocket]: z.string().min(1).describe("Unix socket on which the channel API is served."),
  [environment.adminSocket]: z.string().min(1).describe("Unix socket (0600) on which the admin API is served."),
  [environment.supervisorSocket]: z.string().min(1).describe("Unix socket of the supervisor, which starts sessions."),
  [environment.logLevel]: z
    .enum(["trace", "debug", "info", "warn", "error"])
    .default("info")
    .describe("Least level that is logged."),
  [environment.endWithStdin]: z.enum(["0", "1"]).default("0").describe("1 = end when standard input closes."),
  [environment.retentionDays]: z.coerce
    .number()
    .int()
    .min(1)
    .max(3_650)
    .default(defaultRetentionDays)
    .describe("Days after which rows that have ended are removed."),
});

export interface RouterConfig {
  readonly resourcesDir: string;
  readonly queuePath: string;
  readonly blobsDir: string;
  readonly sockets: { readonly mailbox: string; readonly channel: string; readonly admin: string };
  readonly supervisorSocket: string;
  readonly logLevel: string;
  readonly endWithStdin: boolean;
  readonly retentionMs: number;
}

/** @throws CopepodError `invalid` naming the variable */
export function readConfig(env: NodeJS.ProcessEnv): RouterConfig {
  const read = parseInput(environmentSchema, env);
  const home = read[environment.home];
  return {
    resourcesDir: join(home, "resources"),
    queuePath: join(home, "queue.db"),
    blobsDir: join(home, "blobs"),
    sockets: {
      mailbox: read[environment.mailboxSocket],
      channel: read[environment.channelSocket],
      admin: read[environment.adminSocket],
    },
    supervisorSocket: read[environment.supervisorSocket],
    logLevel: read[environment.logLevel],
    endWithStdin: read[environment.endWithStdin] === "1",
    retentionMs: read[environment.retentionDays] * dayMs,
  };
}
