import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdtempDisposable, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { type Entry, file, folder, link, program, text } from "./entries.ts";
import { tarOf } from "./tar.ts";

async function pack(entries: Iterable<Entry>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(tarOf(entries)));
}

async function list(archive: Buffer): Promise<string[]> {
  await using place = await mkdtempDisposable(join(tmpdir(), "copepod-tar-"));
  await writeFile(join(place.path, "archive.tar"), archive);
  const args = ["-tvf", join(place.path, "archive.tar"), "--numeric-owner", "--utc", "--full-time"];
  const { stdout } = await promisify(execFile)("tar", args);
  return stdout.trimEnd().split("\n");
}

describe("an archive of entries", () => {
  it("is read by others: of user 0, from 1970, sorted, with the folders on the way", async () => {
    const lines = await list(
      await pack([program("usr/bin/tool", process.execPath), link("bin", "usr/bin"), folder("tmp", 0o1777)]),
    );
    assert.deepEqual(
      lines.map((line) => line.replace(/ +\d+ 1970-01-01 00:00:00/, "")),
      [
        "lrwxrwxrwx 0/0 bin -> usr/bin",
        "drwxrwxrwt 0/0 tmp/",
        "drwxr-xr-x 0/0 usr/",
        "drwxr-xr-x 0/0 usr/bin/",
        "-rwxr-xr-x 0/0 usr/bin/tool",
      ],
    );
  });

  it("keeps names and targets that are longer than a header has room for, in any script", async () => {
    const path = `${"ö".repeat(60)}/${"long".repeat(40)}`;
    const lines = await list(await pack([text(path, "content"), link("short", path)]));
    assert.ok(lines.some((line) => line.endsWith(` ${path}`)));
    assert.ok(lines.some((line) => line.endsWith(` short -> ${path}`)));
  });

  it("keeps contents of every length around a block", async () => {
    const sizes = [0, 1, 511, 512, 513];
    const lines = await list(await pack(sizes.map((size) => text(`file-${size}`, "x".repeat(size)))));
    assert.deepEqual(
      lines.map((line) => Number(/0\/0 +(\d+)/.exec(line)?.[1])).sort((a, b) => a - b),
      sizes,
    );
  });

  it("is the same for the same entries, in whatever order, and whoever's files and times they are", async () => {
    await using place = await mkdtempDisposable(join(tmpdir(), "copepod-tar-"));
    const path = join(place.path, "file");
    await writeFile(path, "content");
    const first = await pack([file("a", path), text("b/c", "2"), folder("b")]);
    await utimes(path, 1, 1);
    await chmod(path, 0o600);
    assert.ok(first.equals(await pack([folder("b"), text("b/c", "2"), file("a", path)])));
  });

  it("holds the later one of two entries of one path", async () => {
    assert.ok((await pack([text("a", "1"), text("a", "2")])).equals(await pack([text("a", "2")])));
  });
});
