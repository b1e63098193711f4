import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import { saveCopy } from "./save-copy.ts";

async function* body(...chunks: readonly string[]) {
  for (const chunk of chunks) {
    if (chunk === "broken") throw new CopepodError("unavailable", "the connection broke");
    yield Buffer.from(chunk);
  }
}

const makeFolder = () => mkdtemp(join(tmpdir(), "copepod-copy-"));

describe("saving a copy", () => {
  it("puts it in the place of an older one, for its owner alone", async () => {
    const path = join(await makeFolder(), "queue.db");
    await saveCopy(body("old"), path);
    assert.deepEqual(await saveCopy(body("ne", "w"), path), { path, bytes: 3 });
    assert.equal(await readFile(path, "utf8"), "new");
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  it("leaves an older one alone, and nothing else behind, when the connection breaks", async () => {
    const folder = await makeFolder();
    const path = join(folder, "queue.db");
    await saveCopy(body("old"), path);
    await assert.rejects(saveCopy(body("ne", "broken"), path), { code: "unavailable" });
    assert.equal(await readFile(path, "utf8"), "old");
    assert.deepEqual(await readdir(folder), ["queue.db"]);
  });

  it("names a path that can't be written", async () => {
    const path = join(await makeFolder(), "missing", "queue.db");
    await assert.rejects(saveCopy(body("x"), path), (error: Error) => error.message.startsWith(`${path} can't be`));
  });
});
