import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import { createAgentFile, emptyAgentFolder, readAgentFile, writeAgentFile } from "./agent-files.ts";
import { obstacles, plant } from "./testing/obstacles.ts";
import { block, withScripts } from "./testing/runner-in-process.ts";
import type { Script } from "./testing/scripted-provider.ts";

async function folder() {
  const path = await mkdtemp(join(tmpdir(), "copepod-agent-files-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

describe("a file that the agent can shape", { timeout: 20_000 }, () => {
  it("is written with its folder, and replaced in one step", async () => {
    await using dir = await folder();
    const path = join(dir.path, "deep", "file");
    await writeAgentFile(path, "first", 0o600);
    await writeAgentFile(path, "second", 0o600);
    assert.equal(await readFile(path, "utf8"), "second");
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(join(dir.path, "deep")), ["file"]);
  });

  it("is created only where nothing lies, and read no further than asked for", async () => {
    await using dir = await folder();
    const path = join(dir.path, "file");
    await createAgentFile(path, "first");
    await assert.rejects(createAgentFile(path, "second"), { code: "EEXIST" });
    assert.equal(await readAgentFile(path, 3), "fir");
  });

  for (const [name, obstacle] of Object.entries(obstacles)) {
    it(`is not read, and replaced, when it is ${name}`, async () => {
      await using dir = await folder();
      const path = join(dir.path, "file");
      await plant(path, obstacle);
      await assert.rejects(readAgentFile(path, 10));
      await writeAgentFile(path, "text");
      assert.equal(await readFile(path, "utf8"), "text");
      assert.deepEqual(await readdir(dir.path), ["file"]);
      await plant(path, obstacle);
      await emptyAgentFolder(path);
      assert.deepEqual(await readdir(path), []);
    });

    if (name === "a folder") continue;
    it(`is refused with a sentence when its folder is ${name}`, async () => {
      await using dir = await folder();
      const path = join(dir.path, "folder", "file");
      await plant(join(dir.path, "folder"), obstacle);
      await assert.rejects(readAgentFile(path, 10));
      const refused = (error: unknown) => error instanceof CopepodError && /can't be written \(E/.test(error.message);
      await assert.rejects(writeAgentFile(path, "text"), refused);
    });
  }
});

/** Tells a continuation, as harnesses do, and answers. */
const remembering: Script = async function* ({ input }) {
  yield { kind: "consumed", seqs: input.prompt.seqs };
  yield { kind: "continuation", value: "a conversation" };
  yield { kind: "result", text: block("hi") };
};

/** Loses its conversation once. */
const forgetful: Script = async function* ({ input }) {
  yield { kind: "consumed", seqs: input.prompt.seqs };
  yield { kind: "failed", class: "transient", message: "lost", continuationLost: true };
};

const places: Readonly<Record<string, readonly ["workspace" | "agentDir", string]>> = {
  "the continuation": ["workspace", ".copepod/continuation-demo.json"],
  "its folder": ["workspace", ".copepod"],
  "the memory": ["agentDir", "memory/index.md"],
  "the folder of the memory": ["agentDir", "memory"],
};

describe("an agent that has put", { timeout: 60_000 }, () => {
  for (const [what, obstacle] of Object.entries(obstacles)) {
    for (const [place, [root, path]] of Object.entries(places)) {
      it(`${what} in the place of ${place} still answers, and its turns can fail`, async () => {
        const { runner, router, load } = await withScripts(remembering, forgetful, remembering);
        await using _ = runner;
        await plant(join(runner[root], path), obstacle);
        router.say("one");
        void runner.start(load);
        await router.until(() => router.finished.length === 1);
        await plant(join(runner[root], path), obstacle);
        router.say("two");
        await router.until(() => router.finished.length === 2);
        assert.deepEqual(
          router.finished.map(({ messages }) => messages.map(({ text }) => text)),
          [["hi"], ["hi"]],
        );
        assert.deepEqual(
          router.failed.map(({ message }) => message),
          ["lost"],
        );
      });
    }
  }
});
