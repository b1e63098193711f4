import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open as openFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { QueueWorld, rejectsWith, TestClock, textsOf } from "../contract/testing.ts";
import type { QueueStore } from "../queue-store.ts";
import { requireSqlite } from "./database.ts";
import { openSqliteQueue } from "./open-sqlite-queue.ts";

const log = { info() {}, error() {} };
const clock = new TestClock();

async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "copepod-queue-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Opened in a thread of its own, as the router does it. */
const open = (path: string): Promise<QueueStore> => openSqliteQueue({ path, clock, thread: "worker", log });

async function worldOn(store: QueueStore): Promise<QueueWorld> {
  const queue = { store, reopen: () => Promise.resolve(store), [Symbol.asyncDispose]: () => Promise.resolve() };
  return await new QueueWorld(queue, clock).prepare(true);
}

describe("opening the queue", () => {
  it("refuses a database of a newer version, and leaves it as it is", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "queue.db");
    const database = new Database(path);
    database.pragma("user_version = 1000");
    database.close();
    const error = await rejectsWith(open(path), "databaseNewer");
    assert.match(error.message, /has version 1000; this Copepod knows versions up to \d+/);
  });

  it("refuses a file that is no database", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "queue.db");
    await writeFile(path, "this is not a database, but a text that is long enough to look like one. ".repeat(100));
    await rejectsWith(open(path), "databaseDamaged");
  });

  it("refuses a damaged database", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "queue.db");
    await damage(path);
    const error = await rejectsWith(open(path), "databaseDamaged");
    assert.ok(error.message.includes("queue.db") || error.message.includes("damaged"), error.message);
  });

  it("refuses a second holder by name, and takes over when the first is gone", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "queue.db");
    await using first = await open(path);
    const error = await rejectsWith(open(path), "databaseHeld");
    assert.match(error.message, new RegExp(`process ${process.pid}, since 2026-01-01T12:00:00`));
    await first[Symbol.asyncDispose]();
    await using _second = await open(path);
  });

  it("refuses a network file system", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "queue.db");
    for (const [type, name] of [
      [0x6969, "NFS"],
      [0xff534d42 - 2 ** 32, "CIFS"],
      [0x65735546, "FUSE"],
    ] as const) {
      const statfs = () => Promise.resolve({ type });
      const error = await rejectsWith(
        openSqliteQueue({ path, clock, thread: "inline", log, statfs }),
        "networkFileSystem",
      );
      assert.ok(error.message.includes(name));
    }
  });

  it("refuses an SQLite that can lose rows", () => {
    for (const version of ["3.51.2", "3.50.9", "2.99.99"]) {
      assert.throws(() => requireSqlite(version), { code: "sqliteTooOld" });
    }
    for (const version of ["3.51.3", "3.52.0", "4.0.0"]) requireSqlite(version);
  });

  it("refuses calls after it was closed", async () => {
    await using folder = await temporaryFolder();
    await using store = await open(join(folder.path, "queue.db"));
    const last = store.wishes();
    await store[Symbol.asyncDispose]();
    assert.deepEqual(await last, [], "what was called before is still answered");
    await rejectsWith(store.wishes(), "unavailable");
  });

  it("takes no more than it can hold in memory", async () => {
    await using folder = await temporaryFolder();
    await using store = await open(join(folder.path, "queue.db"));
    const calls = Array.from({ length: 10_001 }, () => store.wish("default/one"));
    const outcomes = await Promise.allSettled(calls);
    assert.equal(outcomes.filter(({ status }) => status === "rejected").length, 1);
  });
});

describe("a full disk", () => {
  it("refuses by name, changes nothing, and goes on when there is room again", async (test) => {
    await using folder = await temporaryFolder();
    if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", folder.path]).status !== 0) {
      test.skip("no right to mount a small tmpfs");
      return;
    }
    using _mounted = { [Symbol.dispose]: () => void spawnSync("umount", [folder.path]) };
    const ballast = join(folder.path, "ballast");
    await writeFile(ballast, Buffer.alloc(512 * 1024));
    await using store = await open(join(folder.path, "queue.db"));
    const world = await worldOn(store);
    const accepted = await fillUp(world);
    const error = await rejectsWith(world.say("z".repeat(60_000)), "diskFull");
    assert.ok(error.message.includes(folder.path));
    const whole = await Promise.allSettled([world.say("x".repeat(60_000)), world.say("y".repeat(60_000))]);
    assert.deepEqual(
      whole.map(({ status }) => status),
      ["rejected", "rejected"],
    );
    assert.equal((await world.rows()).length, accepted, "reading goes on");
    await rm(ballast);
    assert.equal((await world.say("there is room again")).outcome, "accepted");
    assert.equal((await world.rows()).length, accepted + 1);
  });
});

describe("a writer that is killed", () => {
  it("has lost nothing that it reported, and doubled nothing", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "queue.db");
    const reported = new Set<string>();
    for (let round = 0; round < 3; round++) await writeUntilKilled(path, reported, 40 * (round + 1));
    await using store = await open(path);
    const rows = await store.listMessages({ session: undefined, state: undefined, kind: undefined, limit: 100_000 });
    const texts = rows.map(({ text }) => text);
    assert.equal(new Set(texts).size, texts.length, "doubled");
    assert.deepEqual(
      [...reported].filter((text) => !texts.includes(text)),
      [],
      "lost",
    );
    const seqs = rows.map(({ session, seq }) => `${session} ${seq}`);
    assert.equal(new Set(seqs).size, seqs.length);
  });
});

describe("a backup", () => {
  it("is a whole, sound queue of one moment, while writes go on", async () => {
    await using folder = await temporaryFolder();
    await using store = await open(join(folder.path, "queue.db"));
    const world = await worldOn(store);
    for (let round = 0; round < 20; round++) await Promise.all(sayMany(world, 40, `early ${round}`));
    const target = join(folder.path, "backups", "copy.db");
    let isDone = false;
    const backup = store.backup(target).finally(() => {
      isDone = true;
    });
    let during = 0;
    while (!isDone) {
      await Promise.all(sayMany(world, 5, `during ${during}`));
      during += 1;
    }
    const { bytes } = await backup;
    assert.ok(during > 1, "writes went on");
    assert.equal((await stat(target)).size, bytes);
    assert.deepEqual(await readdir(join(folder.path, "backups")), ["copy.db"]);
    await using copy = await open(target);
    const rows = await copy.listMessages({ session: undefined, state: undefined, kind: undefined, limit: 100_000 });
    assert.equal(rows.filter(({ text }) => text.startsWith("early")).length, 800);
    await (await worldOn(copy)).say("the copy works");
  });

  it("is never written over the queue, nor half", async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, "queue.db");
    await using store = await open(path);
    await rejectsWith(store.backup(path), "invalid");
    await rejectsWith(store.backup(join(path, "below-a-file.db")), "unavailable");
    assert.deepEqual(
      (await readdir(folder.path)).filter((name) => name.includes("partial")),
      [],
    );
  });
});

describe("a batch with a row that breaks a rule of the database", () => {
  it("fails for that row alone", async () => {
    await using folder = await temporaryFolder();
    await using store = await open(join(folder.path, "queue.db"));
    const world = await worldOn(store);
    const poison = { ...world.row("poison"), replyTo: { conversation: "there is none", thread: undefined } };
    const calls = [world.say("a"), store.accept({ rows: [poison], refused: [] }), world.say("b")];
    const outcomes = await Promise.allSettled(calls);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    assert.deepEqual(textsOf(await world.take(await world.runner())), ["a", "b"]);
  });
});

function sayMany(world: QueueWorld, count: number, text: string): Promise<unknown>[] {
  return Array.from({ length: count }, (_, index) => world.say(`${text} ${index}`, { session: `default/${index}` }));
}

/** @returns how many rows were accepted before the disk was full. */
async function fillUp(world: QueueWorld): Promise<number> {
  for (let accepted = 0; ; accepted++) {
    try {
      await world.say("x".repeat(20_000));
    } catch {
      return accepted;
    }
  }
}

/** A child accepts numbered rows, and says after each commit which; it is killed after some of them. */
async function writeUntilKilled(path: string, reported: Set<string>, enough: number): Promise<void> {
  const child: ChildProcess = spawn(
    process.execPath,
    [new URL("./testing-writer.ts", import.meta.url).pathname, path],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  assert.ok(child.stdout);
  const exited = once(child, "exit");
  let seen = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    // A line that the kill cut off reports nothing.
    if (line.endsWith(".")) reported.add(line.slice(0, -1));
    seen += 1;
    if (seen === enough) child.kill("SIGKILL");
  }
  await exited;
  assert.equal(child.signalCode, "SIGKILL");
}

async function damage(path: string): Promise<void> {
  const store = await open(path);
  const world = await worldOn(store);
  await Promise.all(sayMany(world, 200, "row"));
  await store[Symbol.asyncDispose]();
  const { size } = await stat(path);
  await using file = await openFile(path, "r+");
  const start = 4 * 4_096;
  await file.write(Buffer.alloc(size - start, 0xff), 0, undefined, start);
}
