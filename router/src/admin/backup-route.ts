import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import { backupPath } from "@copepod/core/files";
import type { FastifyInstance } from "fastify";
import { bearerOf, streamType } from "../http/listener.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { nameOf, type Person } from "./person.ts";
import { Rights, type RightsDeps } from "./rights.ts";

export interface BackupRoute extends RightsDeps {
  readonly store: Pick<QueueStore, "backup" | "audit">;
  /** Of copies that are being sent. It may be removed while none is. */
  readonly folder: string;
  /** @throws CopepodError when the request may not be served at all. */
  readonly authenticate: (bearer: string | undefined) => Promise<Person>;
}

/** A copy of the queue for a caller who can't reach the disk of the router: `GET` of `backupPath`. */
export function addBackupRoute(app: FastifyInstance, { store, folder, authenticate, ...deps }: BackupRoute): void {
  const rights = new Rights(deps);
  let copies = 0;
  /** The request whose copy is on its way. */
  let sending: object | undefined;
  const send = async (caller: Person) => {
    const path = join(folder, `${++copies}.db`);
    const { bytes } = await store.backup(path);
    const copy = await open(path);
    // It is there for as long as it is read, whatever becomes of the reader.
    await rm(path);
    await store.audit({ actor: nameOf(caller), action: "backup", subject: "sent", detail: String(bytes) });
    return { bytes, stream: copy.createReadStream() };
  };
  app.get(backupPath, async (request, reply) => {
    const caller = await authenticate(bearerOf(request));
    rights.requireAllRights(caller);
    // Each takes as much room as the queue.
    if (sending) throw new CopepodError("conflict", "a copy of the queue is being sent already; try again later");
    sending = request;
    const sent = () => {
      if (sending === request) sending = undefined;
    };
    try {
      const { bytes, stream } = await send(caller);
      stream.once("end", sent).once("close", sent);
      return reply.header("content-type", streamType).header("content-length", bytes).send(stream);
    } catch (error) {
      sent();
      throw error;
    }
  });
}
