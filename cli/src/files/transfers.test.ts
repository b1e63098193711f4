import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Line } from "@copepod/core/admin-api";
import { CopepodError, codeOf } from "@copepod/core/errors";
import type { MessageFile } from "@copepod/core/files";
import { maxFileBytes } from "@copepod/core/limits";
import { keepTrying } from "../chat/keep-trying.ts";
import { FakeBlobs } from "../testing/fake-blobs.ts";
import { Transfers } from "./transfers.ts";

const { signal } = new AbortController();

/** Transfers of a person whose folder is made for the test. */
async function open({ now }: { now: () => number } = { now: () => 0 }) {
  const home = await mkdtemp(join(tmpdir(), "copepod-files-"));
  const blobs = new FakeBlobs();
  const told: string[] = [];
  const trying = { random: () => 0, hasEnded: async () => false, onOutage: () => {}, onAnswer: () => {} };
  const transfers = new Transfers({
    conversation: { transfer: (call, end) => keepTrying(() => call(blobs), trying, end) },
    userHome: home,
    folder: undefined,
    received: join(home, "received"),
    now,
    tell: (sentence) => told.push(sentence),
  });
  const line = (...files: MessageFile[]): Line => ({
    id: "1",
    from: "agent",
    time: 0,
    text: "x",
    session: "one",
    files,
  });
  const folder = join(home, "received", "one");
  return { home, blobs, told, transfers, line, folder, [Symbol.asyncDispose]: () => rm(home, { recursive: true }) };
}

describe("files that a person sends", () => {
  it("are uploaded under their own name, from ~ too", async () => {
    await using world = await open();
    await writeFile(join(world.home, "a report.txt"), "content");
    const file = await world.transfers.upload("~/a report.txt", signal);
    assert.deepEqual(
      [file.name, file.bytes, String(world.blobs.contents.get(file.blob))],
      ["a report.txt", 7, "content"],
    );
    assert.deepEqual(await world.transfers.upload(join(world.home, "a report.txt"), signal), file);
  });

  it("are sent again when the connection breaks, an empty one too", async () => {
    await using world = await open();
    world.blobs.broken = 2;
    await writeFile(join(world.home, "a"), "");
    assert.equal((await world.transfers.upload("~/a", signal)).bytes, 0);
  });

  const refusals: readonly (readonly [what: string, make: (path: string) => unknown, code: string, says: RegExp])[] = [
    ["one that does not exist", () => undefined, "notFound", /there is no file "~\/it"/],
    ["a folder", (path) => mkdir(path), "invalid", /is a folder; send its files/],
    ["a link to nothing", (path) => symlink("/nowhere", path), "notFound", /there is no file/],
    [
      "one of the system, which hides its size",
      (path) => symlink("/proc/self/environ", path),
      "invalid",
      /changes while it is read, or is none of a disk/,
    ],
    ["a device", (path) => symlink("/dev/null", path), "invalid", /is no regular file/],
    [
      "one that is a byte too large",
      (path) => writeFile(path, "").then(() => truncate(path, maxFileBytes + 1)),
      "tooLarge",
      /has 104857601 bytes; a file may have 104857600/,
    ],
  ];
  for (const [what, make, code, says] of refusals) {
    it(`can't be ${what}, which is said`, async () => {
      await using world = await open();
      await make(join(world.home, "it"));
      await assert.rejects(world.transfers.upload("~/it", signal), (error) => {
        assert.ok(error instanceof CopepodError);
        assert.equal(codeOf(error), code);
        return says.test(error.message);
      });
    });
  }
});

describe("a path of a file", () => {
  it("can't be empty, and one that leads nowhere is to be mended", async () => {
    await using world = await open();
    await assert.rejects(world.transfers.upload("", signal), { code: "invalid", message: /path of the file is empty/ });
    await assert.rejects(world.transfers.upload("nope", signal), { code: "notFound", cure: /^Mend the path/ });
  });
});

describe("files that an agent sends", () => {
  it("are saved in the folder of their session, and never over another file", async () => {
    await using world = await open();
    const first = await world.transfers.save(world.line(world.blobs.store(Buffer.from("one"), "a.tar.gz")), signal);
    const second = await world.transfers.save(world.line(world.blobs.store(Buffer.from("two"), "a.tar.gz")), signal);
    assert.deepEqual(
      [first[0]?.path, second[0]?.path],
      [join(world.folder, "a.tar.gz"), join(world.folder, "a.tar-2.gz")],
    );
    assert.deepEqual(
      [await readFile(first[0]?.path ?? "", "utf8"), await readFile(second[0]?.path ?? "", "utf8")],
      ["one", "two"],
    );
  });

  it("are saved once, however often their line is seen", async () => {
    await using world = await open();
    const line = world.line(world.blobs.store(Buffer.from("one"), "a"), world.blobs.store(Buffer.from("two"), "a"));
    const first = await world.transfers.save(line, signal);
    assert.deepEqual(await world.transfers.save(line, signal), first);
    assert.deepEqual((await readdir(world.folder)).sort(), ["a", "a-2"]);
  });

  it("follow no link that lies in their place", async () => {
    await using world = await open();
    await mkdir(world.folder, { recursive: true });
    await symlink(join(world.home, "elsewhere"), join(world.folder, "a"));
    const [saved] = await world.transfers.save(world.line(world.blobs.store(Buffer.from("one"), "a")), signal);
    assert.equal(saved?.path, join(world.folder, "a-2"));
    assert.deepEqual((await readdir(world.home)).sort(), ["received"]);
  });

  it("are fetched again when the connection breaks", async () => {
    await using world = await open();
    world.blobs.broken = 2;
    const [saved] = await world.transfers.save(world.line(world.blobs.store(Buffer.from("content"), "a")), signal);
    assert.equal(await readFile(saved?.path ?? "", "utf8"), "content");
    assert.deepEqual(await readdir(world.folder), ["a"]);
  });

  it("are told when they can't be saved, leave nothing, and keep nobody from the others", async () => {
    await using world = await open();
    const good = world.blobs.store(Buffer.from("good"), "good");
    const gone = { name: "gone", blob: "0".repeat(64), bytes: 1 };
    const long = { ...world.blobs.store(Buffer.from("longer"), "long"), bytes: 2 };
    const wrong = { ...good, name: "wrong", blob: "1".repeat(64) };
    world.blobs.contents.set(wrong.blob, Buffer.from("evil"));
    const saved = await world.transfers.save(world.line(gone, long, wrong, good), signal);
    assert.deepEqual(
      saved.map(({ name }) => name),
      ["good"],
    );
    assert.deepEqual(world.told, [
      "gone could not be saved: there is no such file",
      "long could not be saved: it is longer than it was said to be",
      "wrong could not be saved: what arrived is not what was sent",
    ]);
    assert.deepEqual(await readdir(world.folder), ["good"]);
  });

  it("say how far they are when it takes longer", async () => {
    let time = 0;
    await using world = await open({ now: () => (time += 1_500) });
    await world.transfers.save(world.line(world.blobs.store(Buffer.from("0123456789"), "a")), signal);
    assert.deepEqual(world.told, ["saving a: 100 %"]);
  });
});
