import { connect as connectSocket } from "node:net";
import { defaultNamespace } from "@copepod/core/addresses";
import { adminApi } from "@copepod/core/admin-api";
import { createBlobs, getBytes } from "@copepod/core/blobs";
import { createClient } from "@copepod/core/endpoint";
import { CopepodError } from "@copepod/core/errors";
import { backupPath, blobPaths } from "@copepod/core/files";
import { type SupervisorClient, supervisorApi } from "@copepod/core/supervisor-api";
import type { CliConfig } from "../config.ts";
import type { AdminConnection } from "../context.ts";
import { homeLayout, type RunLayout, runLayout } from "../home/layout.ts";
import { linkedRunFolder } from "../supervisor/run-folder.ts";
import { createUnixFetch } from "./unix-fetch.ts";

/**
 * A client of the router that the home's supervisor runs. The router itself may be restarting: then calls throw
 * `unavailable`.
 * @throws CopepodError `notRunning`
 */
export async function connectAdmin(config: CliConfig): Promise<AdminConnection> {
  const run = await runningFolder(config);
  if (!run) throw new CopepodError("notRunning", `no Copepod runs for ${config.home}`);
  const unix = createUnixFetch(run.adminSocket);
  return {
    admin: createClient(adminApi, { fetch: unix.fetch, baseUrl: "http://router" }),
    blobs: createBlobs({ send: unix.sendBytes, url: `http://router${blobPaths.admin}` }),
    copyQueue: (signal) => getBytes(unix.sendBytes, `http://router${backupPath}`, { signal }),
    namespace: defaultNamespace,
    // A supervisor that ends removes the link; one that is killed leaves it, and may be back in a moment.
    hasEnded: async () => (await linkedRunFolder(homeLayout(config.home))) === undefined,
    close: unix.close,
  };
}

/** The run folder of the supervisor that answers now; undefined when none does. */
export async function runningFolder(config: CliConfig): Promise<RunLayout | undefined> {
  const folder = await linkedRunFolder(homeLayout(config.home));
  if (folder === undefined) return undefined;
  const run = runLayout(folder);
  return (await answers(run.supervisorSocket)) ? run : undefined;
}

export function connectSupervisor(run: RunLayout): { supervisor: SupervisorClient; close(): Promise<void> } {
  const unix = createUnixFetch(run.supervisorSocket);
  return {
    supervisor: createClient(supervisorApi, { fetch: unix.fetch, baseUrl: "http://supervisor" }),
    close: unix.close,
  };
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket(socketPath);
    const end = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", end(true));
    socket.once("error", end(false));
  });
}
