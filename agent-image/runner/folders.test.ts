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
  withFolders,
  writeContinuation,
} from "./folders.ts";

async function folder() {
  const path = await mkdtemp(join(tmpdir(), "copepod-folders-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

const only = (agentDir: string) => ({ agentDir, teamDir: undefined });

describe("a session's folders", () => {
  it("begin with a memory that says what it is for", async () => {
    await using dir = await folder();
    const text = await withFolders("Be kind.\n", only(dir.path));
    assert.match(text, /^Be kind\.\n\n# Memory \(.*\/memory\/index\.md\)\n\n# Memory\n/);
    assert.match(await readFile(memoryPath(dir.path), "utf8"), /read before every turn/);
  });

  it("show the memory as it is at each turn", async () => {
    await using dir = await folder();
    await withFolders("", only(dir.path));
    await writeFile(memoryPath(dir.path), "- Ann likes tea\n");
    assert.match(await withFolders("", only(dir.path)), /- Ann likes tea\n$/);
  });

  it("show no more of a long memory than has room, and say so", async () => {
    await using dir = await folder();
    await withFolders("", only(dir.path));
    await writeFile(memoryPath(dir.path), "ä".repeat(10 * maxMemoryCharacters));
    const text = await withFolders("", only(dir.path));
    assert.equal(text.match(/ä/g)?.length, maxMemoryCharacters);
    assert.match(text, /The memory is longer/);
  });

  it("tell when the memory can't be read, instead of failing", async () => {
    await using dir = await folder();
    await mkdir(memoryPath(dir.path), { recursive: true });
    assert.match(await withFolders("Be kind.", only(dir.path)), /^Be kind\.[\s\S]*can't be read: .* is a folder/);
  });

  it("name what is shared with other agents, and whether it may be changed", async () => {
    await using dir = await folder();
    const teamDir = join(dir.path, "team");
    for (const name of ["minutes", "empty"]) await mkdir(join(teamDir, name), { recursive: true });
    await writeFile(join(teamDir, "a-file"), "");
    const text = await withFolders("Be kind.", { agentDir: dir.path, teamDir });
    assert.match(text, /^Be kind\.\n\n# Shared folders\n/);
    assert.ok(
      text.includes(`\n- ${teamDir}/empty: you may change it\n- ${teamDir}/minutes: you may change it\n\n# Memory`),
    );
    assert.doesNotMatch(await withFolders("", { agentDir: dir.path, teamDir: join(dir.path, "none") }), /Shared/);
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
