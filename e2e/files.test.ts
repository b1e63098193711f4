import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { blobPaths } from "@copepod/core/files";
import { maxFileBytes } from "@copepod/core/limits";
import { System, terminalResources } from "./support/system.ts";
import { until } from "./support/until.ts";

const cli = fileURLToPath(import.meta.resolve("@copepod/cli/main"));
/** Starts a session, and moves the largest file. */
const commandMs = 60_000;

/** Runs a command of the person. @returns what it printed, and its exit code. */
async function copepod(system: System, args: readonly string[], stdin = "") {
  const running = promisify(execFile)(process.execPath, [cli, ...args, "--home", system.home], { timeout: commandMs });
  running.child.stdin?.end(stdin);
  const { stdout, stderr } = await running.catch((error: { stdout: string; stderr: string }) => error);
  return { stdout, stderr, code: running.child.exitCode };
}

const blobsOf = async (system: System): Promise<string[]> =>
  (await readdir(join(system.home, "blobs"), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);

describe("files, all the way", () => {
  it("reach the agent with ask and chat, and come back to the person", async (t) => {
    await using system = await System.start(terminalResources());
    const folder = await mkdtemp(join(tmpdir(), "copepod-person-"));
    t.after(() => rm(folder, { recursive: true }));
    const path = join(folder, "my notes.txt");
    await writeFile(path, "the tide is high");
    const asked = await copepod(system, ["ask", "look", "--file", path]);
    assert.match(asked.stdout, /look: I got a file:\n- my notes\.txt, 16 bytes: “the tide is high”/, asked.stderr);
    const chatted = await copepod(system, ["chat"], `/file "${path}"\nfile of the agent\n`);
    assert.match(chatted.stdout, /my notes\.txt: I got a file:/, chatted.stderr);
    const saved = /^saved: (.*)$/m.exec(chatted.stderr)?.[1] ?? "";
    assert.ok(saved.startsWith(join(system.home, "received", "helper-")), chatted.stderr);
    assert.equal(await readFile(saved, "utf8"), "of the agent\n");
    const hash = createHash("sha256").update("the tide is high").digest("hex");
    assert.deepEqual(
      (await blobsOf(system)).filter((name) => name === hash),
      [hash],
      "the same file is stored once",
    );
  });

  it("may be as large as a file may be, and not a byte larger", async (t) => {
    await using system = await System.start(terminalResources());
    const folder = await mkdtemp(join(tmpdir(), "copepod-person-"));
    t.after(() => rm(folder, { recursive: true }));
    const path = join(folder, "large.bin");
    await writeFile(path, "");
    await truncate(path, maxFileBytes);
    const asked = await copepod(system, ["ask", "--file", path]);
    assert.match(asked.stdout, new RegExp(`- large\\.bin, ${maxFileBytes} bytes`), asked.stderr);
    await truncate(path, maxFileBytes + 1);
    const refused = await copepod(system, ["ask", "--file", path]);
    assert.match(refused.stderr, /has 104857601 bytes; a file may have 104857600/);
    assert.equal((await blobsOf(system)).length, 1);
  });

  it("leave nothing when the router is killed in the middle of one", async () => {
    await using system = await System.start(terminalResources());
    const upload = request({
      socketPath: join(system.home, "run", "admin.sock"),
      method: "PUT",
      path: blobPaths.admin,
      headers: { "content-type": "application/octet-stream", "content-length": 1_000 },
    });
    const broken = new Promise((resolve) => upload.once("error", resolve));
    upload.write("half");
    await until("the upload has begun", async () => (await blobsOf(system)).length === 1);
    await system.kill("router");
    await broken;
    assert.match(await system.ask("main", "still there?"), /still there\?/);
    assert.deepEqual(await blobsOf(system), []);
  });

  it("of a message that was not answered are there when the session's processes come back", async () => {
    await using system = await System.start(terminalResources());
    const content = Buffer.from("kept over a crash");
    const file = await putFile(system, content);
    const input = { conversation: "main", text: "look", sender: "ann", dedupeKey: "1", files: [file] };
    await system.ask("main", "wake up");
    const running = await system.say("main", "wait 3");
    const { id } = await system.admin.say(input);
    await until("the turn runs", async () => {
      const { items } = await system.admin.listMessages({ session: running.session, state: "leased" });
      return items.length > 0;
    });
    await system.kill("runner");
    await system.answerTo("main", id);
    const said = (await system.lines("main")).map(({ text }) => text).join("\n");
    assert.match(said, /kept\.txt, 17 bytes: “kept over a crash”/);
  });
});

/** Uploads as the command line does. */
async function putFile(system: System, content: Buffer) {
  const upload = request({
    socketPath: join(system.home, "run", "admin.sock"),
    method: "PUT",
    path: blobPaths.admin,
    headers: { "content-type": "application/octet-stream", "content-length": content.length },
  });
  const status = await new Promise((resolve, reject) => {
    upload.once("response", (response) => resolve(response.resume().statusCode)).once("error", reject);
    upload.end(content);
  });
  assert.equal(status, 200);
  return { name: "kept.txt", blob: createHash("sha256").update(content).digest("hex"), bytes: content.length };
}
