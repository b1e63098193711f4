import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  forgetContinuation,
  maxMemoryCharacters,
  memoryPath,
  readContinuation,
  withMemory,
  writeContinuation,
} from "./folders.ts";

async function folder() {
  const path = await mkdtemp(join(tmpdir(), "copepod-folders-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

describe("a session's folders", () => {
  it("begin with a memory that says what it is for", async () => {
    await using dir = await folder();
    const text = await withMemory("Be kind.\n", dir.path);
    assert.match(text, /^Be kind\.\n\n# Memory \(.*\/memory\/index\.md\)\n\n# Memory\n/);
    assert.match(await readFile(memoryPath(dir.path), "utf8"), /read before every turn/);
  });

  it("show the memory as it is at each turn", async () => {
    await using dir = await folder();
    await withMemory("", dir.path);
    await writeFile(memoryPath(dir.path), "- Ann likes tea\n");
    assert.match(await withMemory("", dir.path), /- Ann likes tea\n$/);
  });

  it("show no more of a long memory than has room, and say so", async () => {
    await using dir = await folder();
    await withMemory("", dir.path);
    await writeFile(memoryPath(dir.path), "ä".repeat(10 * maxMemoryCharacters));
    const text = await withMemory("", dir.path);
    assert.equal(text.match(/ä/g)?.length, maxMemoryCharacters);
    assert.match(text, /The memory is longer/);
  });

  it("tell when the memory can't be read, instead of failing", async () => {
    await using dir = await folder();
    await mkdir(memoryPath(dir.path), { recursive: true });
    assert.match(await withMemory("Be kind.", dir.path), /^Be kind\.[\s\S]*can't be read: .* is a folder/);
  });

  it("keep what a provider wants back, each for itself", async () => {
    await using dir = await folder();
    assert.equal(await readContinuation(dir.path, "demo"), undefined);
    await writeContinuation(dir.path, "demo", "first");
    await writeContinuation(dir.path, "demo", "second");
    assert.equal(await readContinuation(dir.path, "demo"), "second");
    assert.equal(await readContinuation(dir.path, "other"), undefined);
    await forgetContinuation(dir.path, "demo");
    assert.equal(await readContinuation(dir.path, "demo"), undefined);
  });

  it("begin anew when the continuation is damaged", async () => {
    await using dir = await folder();
    await writeContinuation(dir.path, "demo", "first");
    await writeFile(join(dir.path, ".copepod/continuation-demo.json"), '{"continuation":');
    assert.equal(await readContinuation(dir.path, "demo"), undefined);
  });
});
