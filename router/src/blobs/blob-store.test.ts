import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { maxFileBytes, maxUnsentBytes, maxUnsentFiles } from "@copepod/core/limits";
import { rejectsWith } from "../queue/contract/testing.ts";
import { type BlobStore, blobGraceMs, blobGraceWhenFullMs } from "./blob-store.ts";
import { BlobWorld } from "./testing.ts";

const bytesOf = (text: string): Readable => Readable.from([Buffer.from(text)]);
const read = async (blobs: BlobStore, blob: string): Promise<string> =>
  (await buffer((await blobs.open(blob)).stream)).toString();

const mebibyte = Buffer.alloc(1024 * 1024);

/** So many bytes, which are never in memory together. @param onChunk called before each piece */
async function* zeros(bytes: number, onChunk?: () => void): AsyncGenerator<Buffer> {
  for (let left = bytes; left > 0; left -= mebibyte.length) {
    onChunk?.();
    yield mebibyte.subarray(0, left);
  }
}

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Bytes that are still needed. */
function memoryInUse(): number {
  collectGarbage();
  const { external, heapUsed } = process.memoryUsage();
  return external + heapUsed;
}

describe("the store of blobs", () => {
  it("keeps bytes under their hash, once, and hands them out", async () => {
    await using world = await BlobWorld.open();
    const blobs = await world.blobs();
    const [one, again] = [
      await blobs.put(bytesOf("hello"), "default/one"),
      await blobs.put(bytesOf("hello"), undefined),
    ];
    const blob = createHash("sha256").update("hello").digest("hex");
    assert.deepEqual(
      [one, again],
      [
        { blob, bytes: 5 },
        { blob, bytes: 5 },
      ],
    );
    assert.deepEqual(await world.files(), [join(world.blobsDir, blob.slice(0, 2), blob)]);
    assert.equal(await read(blobs, blob), "hello");
    assert.equal(await world.store.maySeeBlob("default/one", blob), true);
  });

  it("takes an empty file", async () => {
    await using world = await BlobWorld.open();
    const blobs = await world.blobs();
    const { blob, bytes } = await blobs.put(Readable.from([]), undefined);
    assert.deepEqual([bytes, await read(blobs, blob)], [0, ""]);
  });

  it("streams the largest file with little memory, and refuses one byte more without leaving anything", async () => {
    await using world = await BlobWorld.open();
    const blobs = await world.blobs();
    const before = memoryInUse();
    let [chunks, most] = [0, 0];
    const watch = () => {
      if (chunks++ % 16 === 0) most = Math.max(most, memoryInUse() - before);
    };
    const { blob, bytes } = await blobs.put(Readable.from(zeros(maxFileBytes, watch)), undefined);
    assert.equal(bytes, maxFileBytes);
    let read = 0;
    for await (const chunk of (await blobs.open(blob)).stream) {
      read += chunk.length;
      watch();
    }
    assert.equal(read, maxFileBytes);
    assert.ok(most < 16 * mebibyte.length, `${most} bytes`);
    await rejectsWith(blobs.put(Readable.from(zeros(maxFileBytes + 1)), undefined), "tooLarge");
    assert.equal((await world.files()).length, 1);
  });

  it("leaves nothing of what breaks off", async () => {
    await using world = await BlobWorld.open();
    const blobs = await world.blobs(10);
    async function* breaking(): AsyncGenerator<Buffer> {
      yield Buffer.from("12345678");
      throw Object.assign(new Error("aborted"), { code: "ECONNRESET" });
    }
    await rejectsWith(blobs.put(Readable.from(breaking()), undefined), "invalid");
    assert.deepEqual(await world.files(), []);
    assert.equal((await blobs.put(bytesOf("1234567890"), undefined)).bytes, 10);
  });

  it("takes no more than its quota, counts what is stored twice once, and has room again after a sweep", async () => {
    await using world = await BlobWorld.open();
    const blobs = await world.blobs(12);
    for (let i = 0; i < 3; i++) await blobs.put(bytesOf("123456"), undefined);
    const error = await rejectsWith(blobs.put(bytesOf("abcdefg"), undefined), "quotaExceeded");
    assert.match(error.message, /may take 12 bytes/);
    assert.equal((await world.files()).length, 1);
    world.clock.pass(blobGraceMs + 1);
    await blobs.sweep();
    assert.deepEqual(await world.files(), []);
    await blobs.put(bytesOf("abcdefg"), undefined);
  });

  it("counts what is there when it is opened again", async () => {
    await using world = await BlobWorld.open();
    await (await world.blobs(10)).put(bytesOf("123456"), undefined);
    await rejectsWith((await world.blobs(10)).put(bytesOf("abcdef"), undefined), "quotaExceeded");
  });

  it("has room again at once when what fills it waits for its message no more", async () => {
    await using world = await BlobWorld.open();
    const blobs = await world.blobs(12);
    const used = await blobs.put(bytesOf("123456"), undefined);
    await blobs.put(bytesOf("abcdef"), undefined);
    world.clock.pass(blobGraceWhenFullMs + 1);
    await world.store.useBlobs([{ name: "used", ...used }]);
    await blobs.put(bytesOf("uvwxyz"), undefined);
    assert.equal(await read(blobs, used.blob), "123456");
    await rejectsWith(blobs.put(bytesOf("7"), undefined), "quotaExceeded");
  });

  it("takes from one session only so much that no message has yet, also when it comes at the same time", async () => {
    await using world = await BlobWorld.open();
    const blobs = await world.blobs();
    const results = await Promise.allSettled(
      Array.from({ length: maxUnsentFiles + 5 }, (_, index) => blobs.put(bytesOf(`${index}`), "default/one")),
    );
    assert.ok(results.filter(({ status }) => status === "fulfilled").length <= maxUnsentFiles);
    const { files } = await world.store.unsentBlobs("default/one");
    for (let more = files; more < maxUnsentFiles; more++) await blobs.put(bytesOf(`more ${more}`), "default/one");
    const error = await rejectsWith(blobs.put(bytesOf("over"), "default/one"), "quotaExceeded");
    assert.match(error.message, /Send what was uploaded, or wait an hour/);
    assert.equal((await world.files()).length, maxUnsentFiles);
    await blobs.put(bytesOf("of another"), "default/two");
    await blobs.put(bytesOf("of the owner"), undefined);
  });

  it("counts the bytes of one session that no message has yet, and lets nothing through that goes beyond", async () => {
    await using world = await BlobWorld.open();
    const blobs = await world.blobs();
    const blob = createHash("sha256").update("as if it were there").digest("hex");
    await world.store.blobStored({ blob, bytes: maxUnsentBytes - 10 }, "default/one");
    await blobs.put(bytesOf("123456"), "default/one");
    await rejectsWith(blobs.put(bytesOf("abcde"), "default/one"), "quotaExceeded");
    await blobs.put(bytesOf("abcd"), "default/one");
  });

  it("removes what no message refers to after the grace, and never what was used just now", async () => {
    await using world = await BlobWorld.open();
    const blobs = await world.blobs();
    const [old, used] = [await blobs.put(bytesOf("old"), undefined), await blobs.put(bytesOf("used"), undefined)];
    await blobs.sweep();
    assert.equal((await world.files()).length, 2);
    world.clock.pass(blobGraceMs + 1);
    await world.store.useBlobs([{ name: "used", ...used }]);
    await blobs.sweep();
    assert.equal(await read(blobs, used.blob), "used");
    await rejectsWith(blobs.open(old.blob), "notFound");
  });

  it("removes at its start what a router that was killed has left: halves, and files without a row", async () => {
    await using world = await BlobWorld.open();
    const kept = await (await world.blobs()).put(bytesOf("kept"), undefined);
    const orphan = createHash("sha256").update("orphan").digest("hex");
    await mkdir(join(world.blobsDir, orphan.slice(0, 2)), { recursive: true });
    await writeFile(join(world.blobsDir, orphan.slice(0, 2), orphan), "orphan");
    await writeFile(join(world.blobsDir, "incoming", "half"), "ha");
    const blobs = await world.blobs();
    assert.deepEqual(await world.files(), [join(world.blobsDir, kept.blob.slice(0, 2), kept.blob)]);
    assert.equal(await read(blobs, kept.blob), "kept");
  });

  it("stores a file anew that a restored backup does not have", async () => {
    await using world = await BlobWorld.open();
    const { blob } = await (await world.blobs()).put(bytesOf("lost"), undefined);
    await rm(world.blobsDir, { recursive: true });
    const blobs = await world.blobs();
    await rejectsWith(blobs.open(blob), "notFound");
    await blobs.put(bytesOf("lost"), undefined);
    assert.equal(await read(blobs, blob), "lost");
  });

  it("keeps what comes at the same time apart", async () => {
    await using world = await BlobWorld.open();
    const blobs = await world.blobs();
    const texts = Array.from({ length: 40 }, (_, index) => `text ${index % 20}`);
    const stored = await Promise.all(texts.map((text) => blobs.put(bytesOf(text), undefined)));
    assert.deepEqual(await Promise.all(stored.map(({ blob }) => read(blobs, blob))), texts);
    assert.equal((await world.files()).length, 20);
  });
});
