import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { backupPath } from "@copepod/core/files";
import Database from "better-sqlite3";
import fastify from "fastify";
import { pino } from "pino";
import { openSqliteQueue } from "../queue/sqlite/open-sqlite-queue.ts";
import { buildResources } from "../resources/testing.ts";
import { addBackupRoute } from "./backup-route.ts";
import { personOf } from "./person.ts";

const clock = { now: () => 1_000, monotonic: () => 0 };
const admins = new Set(["admin"]);

async function start() {
  const home = await mkdtemp(join(tmpdir(), "copepod-copies-"));
  const folder = join(home, "copies");
  const log = pino({ level: "silent" });
  const store = await openSqliteQueue({ path: join(home, "queue.db"), clock, log, thread: "inline" });
  const app = fastify();
  const resources = { current: () => buildResources([]) };
  const authenticate = async (username = "nobody") => personOf({ username }, admins);
  addBackupRoute(app, { store, resources, namespaces: ["agents"], folder, authenticate });
  return {
    folder,
    get: async (name: string) => await app.inject({ url: backupPath, headers: { authorization: `Bearer ${name}` } }),
    [Symbol.asyncDispose]: async () => {
      await app.close();
      await store[Symbol.asyncDispose]();
      await rm(home, { recursive: true });
    },
  };
}

describe("a copy of the queue over the wire", () => {
  it("is a whole database, of which the router keeps nothing, and one at a time", async () => {
    await using world = await start();
    for (let time = 0; time < 2; time++) {
      const [{ statusCode, rawPayload }, second] = await Promise.all([world.get("admin"), world.get("admin")]);
      assert.equal(statusCode, 200);
      assert.match(second.body, /being sent already/);
      const path = join(world.folder, "received.db");
      await writeFile(path, rawPayload);
      const database = new Database(path, { readonly: true });
      assert.equal(database.pragma("integrity_check", { simple: true }), "ok");
      assert.equal(database.prepare("SELECT count(*) FROM sessions").pluck().get(), 0);
      database.close();
      await rm(path);
    }
    assert.deepEqual(await readdir(world.folder), []);
  });

  it("is refused to whoever may not call all of the admin API", async () => {
    await using world = await start();
    assert.match((await world.get("ada")).body, /Only who has the token of copepod-admin/);
    await assert.rejects(readdir(world.folder), { code: "ENOENT" });
  });
});
