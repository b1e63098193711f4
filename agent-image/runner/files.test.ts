import assert from "node:assert/strict";
import { lstat, mkdir, readdir, readFile, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { MessageFile } from "@copepod/core/files";
import { maxFileBytes } from "@copepod/core/limits";
import { parsePrompt } from "../providers/demo/prompt.ts";
import type { ProviderEvent } from "../providers/provider.ts";
import { block, withScripts } from "./testing/runner-in-process.ts";
import { answering, type Script } from "./testing/scripted-provider.ts";

const content = Buffer.from("a report");

/** One message with files, to a runner that has read it. @returns its prompt, and the files as the agent was told. */
async function receive(
  files: (store: (content: Buffer, name?: string) => MessageFile) => readonly MessageFile[],
  prepare?: (folder: { workspace: string; outside: string }) => Promise<void>,
) {
  const { runner, provider, router, load } = await withScripts(answering(block("thanks")));
  const outside = join(runner.folder, "outside");
  await mkdir(runner.workspace);
  await mkdir(outside);
  await prepare?.({ workspace: runner.workspace, outside });
  const all = files((bytes, name = "report.txt") => ({ name, ...router.store(bytes) }));
  router.say("read this", { body: { text: "read this", files: [...all] } });
  void runner.start(load);
  await router.until(({ finished }) => finished.length > 0);
  const prompt = provider.inputs[0]?.prompt.text ?? "";
  return { runner, prompt, files: parsePrompt(prompt)[0]?.files ?? [], outside, workspace: runner.workspace };
}

describe("files of messages to the agent", () => {
  it("lie in its workspace before it reads of them", async () => {
    const { runner, prompt, workspace } = await receive((store) => [store(content), store(content, "R&D.txt")]);
    await using _ = runner;
    const path = join(workspace, "files");
    assert.match(prompt, /<message id="1" from="family" sender="Ann" time="[^"]*">\n {2}<file /);
    assert.ok(prompt.includes(`  <file name="report.txt" path="${path}/1-report.txt" bytes="8" />\n`), prompt);
    assert.ok(
      prompt.includes(`  <file name="R&amp;D.txt" path="${path}/1-R&amp;D.txt" bytes="8" />\nread this</`),
      prompt,
    );
    assert.deepEqual(await readFile(join(path, "1-report.txt")), content);
  });

  it("are fetched again when a download breaks off", async () => {
    const { runner, provider, router, load } = await withScripts(answering(block("thanks")));
    await using _ = runner;
    router.brokenDownloads = 2;
    router.say("x", { body: { text: "x", files: [{ name: "a", ...router.store(content) }] } });
    await mkdir(runner.workspace);
    void runner.start(load);
    await router.until(({ finished }) => finished.length > 0);
    const [file] = parsePrompt(provider.inputs[0]?.prompt.text ?? "")[0]?.files ?? [];
    assert.deepEqual(await readFile(file?.path ?? ""), content);
  });

  const problems: readonly (readonly [what: string, change: (file: MessageFile) => MessageFile, says: RegExp])[] = [
    ["are not there any more", (file) => ({ ...file, blob: "0".repeat(64) }), /problem="there is no such file"/],
    ["are longer than they were said to be", (file) => ({ ...file, bytes: 3 }), /problem="what arrived is not/],
    ["are shorter than they were said to be", (file) => ({ ...file, bytes: 30 }), /problem="what arrived is not/],
  ];
  for (const [what, change, says] of problems) {
    it(`are named as missing when they ${what}, and the message is answered all the same`, async () => {
      const { runner, prompt, workspace } = await receive((store) => [change(store(content))]);
      await using _ = runner;
      assert.match(prompt, says);
      assert.deepEqual(await readdir(join(workspace, "files")), []);
    });
  }

  it("replace a link that lies in their place, and never follow it", async () => {
    const { runner, files, workspace, outside } = await receive(
      (store) => [store(content)],
      async ({ workspace, outside }) => {
        await mkdir(join(workspace, "files"));
        await writeFile(join(outside, "target"), "untouched");
        await symlink(join(outside, "target"), join(workspace, "files", "1-report.txt"));
      },
    );
    await using _ = runner;
    assert.equal(await readFile(join(outside, "target"), "utf8"), "untouched");
    assert.deepEqual(await readFile(files[0]?.path ?? ""), content);
    assert.ok((await lstat(join(workspace, "files", "1-report.txt"))).isFile());
  });

  it("stay out of a folder that a link leads to", async () => {
    const { runner, prompt, outside } = await receive(
      (store) => [store(content)],
      async ({ workspace, outside }) => await symlink(outside, join(workspace, "files")),
    );
    await using _ = runner;
    assert.match(prompt, /problem="the folder for files is a link/);
    assert.deepEqual(await readdir(outside), []);
  });
});

/** A turn in which the agent sends a file. @returns what came of it. */
async function send(
  path: string,
  prepare: (folder: { workspace: string; agentDir: string; outside: string }) => Promise<void>,
) {
  const results: unknown[] = [];
  const script: Script = async function* ({ input, tools }) {
    yield { kind: "consumed", seqs: input.prompt.seqs };
    results.push(await tools.sendFile("family", path, undefined).catch((error: unknown) => error));
    yield { kind: "result", text: block("sent") };
  };
  const { runner, router, load } = await withScripts(script);
  await using _ = runner;
  const { workspace, agentDir } = runner;
  const outside = join(runner.folder, "outside");
  for (const folder of [workspace, agentDir, outside]) await mkdir(folder);
  await prepare({ workspace, agentDir, outside });
  router.say("send it");
  void runner.start(load);
  await router.until(({ finished }) => finished.length > 0);
  const [result] = results;
  const code = result instanceof Error && "code" in result ? result.code : undefined;
  const posted = router.posted.map(({ text, files }) => ({ text, names: files?.map(({ name }) => name) }));
  const sent = router.posted.map(({ files }) => router.blobs.get(files?.[0]?.blob ?? "")?.toString());
  return { code, message: result instanceof Error ? result.message : "", posted, sent };
}

describe("files that the agent sends", () => {
  it("come from its workspace or its group's folder, with their name as text when it has said nothing", async () => {
    const inWorkspace = await send("out/a.txt", async ({ workspace }) => {
      await mkdir(join(workspace, "out"));
      await writeFile(join(workspace, "out", "a.txt"), "of the session");
    });
    assert.deepEqual(inWorkspace.posted, [{ text: "a.txt", names: ["a.txt"] }]);
    assert.deepEqual(inWorkspace.sent, ["of the session"]);
    const inGroup = await send("../agent/b.txt", async ({ agentDir }) => await writeFile(join(agentDir, "b.txt"), ""));
    assert.deepEqual(inGroup.sent, [""]);
  });

  it("are sent under a name that is safe", async () => {
    const { posted } = await send("\u001b[31m:name", async ({ workspace }) => {
      await writeFile(join(workspace, "\u001b[31m:name"), "x");
    });
    assert.deepEqual(posted, [{ text: "[31m_name", names: ["[31m_name"] }]);
  });

  type Prepare = Parameters<typeof send>[1];
  const refusals: readonly (readonly [what: string, path: string, code: string, prepare: Prepare])[] = [
    ["one that does not exist", "nothing.txt", "notFound", async () => undefined],
    [
      "one outside of its folders",
      "../outside/s",
      "invalid",
      async ({ outside }) => writeFile(join(outside, "s"), "s"),
    ],
    ["one of the machine", "/etc/hostname", "invalid", async () => undefined],
    ["a folder", ".", "invalid", async () => undefined],
    ["a link", "link", "invalid", async ({ workspace }) => symlink("/etc/hostname", join(workspace, "link"))],
    [
      "one behind a link",
      "out/s",
      "invalid",
      async ({ workspace, outside }) => {
        await writeFile(join(outside, "s"), "s");
        await symlink(outside, join(workspace, "out"));
      },
    ],
    ["one whose name holds NUL", "a\0b", "invalid", async () => undefined],
    ["one whose name is too long", "x".repeat(300), "invalid", async () => undefined],
    [
      "one that is a byte too large",
      "big",
      "tooLarge",
      async ({ workspace }) => {
        await writeFile(join(workspace, "big"), "");
        await truncate(join(workspace, "big"), maxFileBytes + 1);
      },
    ],
  ];
  for (const [what, path, code, prepare] of refusals) {
    it(`can't be ${what}`, async () => {
      const result = await send(path, prepare);
      assert.deepEqual([result.code, result.posted], [code, []], result.message);
    });
  }

  it("are sent once, when the turn that sent them is repeated", async () => {
    const sending = (end: ProviderEvent): Script =>
      async function* ({ input, tools }) {
        yield { kind: "consumed", seqs: input.prompt.seqs };
        await tools.sendFile("family", "a.txt", "here");
        yield end;
      };
    const { runner, provider, router, load } = await withScripts(
      sending({ kind: "failed", class: "transient", message: "broke" }),
      sending({ kind: "result", text: block("done") }),
    );
    await using _ = runner;
    await mkdir(runner.workspace);
    await writeFile(join(runner.workspace, "a.txt"), "same");
    router.say("send it");
    void runner.start(load);
    await router.until(({ finished }) => finished.length > 0);
    assert.equal(router.posted.length, 1);
    assert.match(provider.inputs[1]?.prompt.text ?? "", /- to &quot;family&quot;: here \[file &quot;a\.txt&quot;\]/);
  });
});
