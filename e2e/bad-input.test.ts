import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { maxBodyBytes, maxTextLength } from "@copepod/core/limits";
import Database from "better-sqlite3";
import { Agent, fetch } from "undici";
import { stringify } from "yaml";
import { System, terminalResources } from "./support/system.ts";
import { until } from "./support/until.ts";

const smallDiskBytes = 12 * 1024 * 1024;

/** Bytes straight to the admin socket. @returns status and error code */
async function post(system: System, path: string, body: string | Buffer): Promise<[number, string]> {
  const dispatcher = new Agent({ connect: { socketPath: join(system.home, "run", "admin.sock") } });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`http://admin${path}`, { method: "POST", headers, body, dispatcher });
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  await dispatcher.destroy();
  assert.match(error.message, /\w+ \w+/, "a sentence");
  return [response.status, error.code];
}

const message = (extra: object) =>
  JSON.stringify({ conversation: "main", sender: "ann", text: "hi", dedupeKey: "1", ...extra });

describe("bad input from outside", () => {
  it("gets a code and a sentence, and the router goes on", async () => {
    await using system = await System.start(terminalResources());
    const routerPid = async () => (await system.processes()).find(({ program }) => program === "router")?.pid;
    const router = await routerPid();
    const path = "/v1/terminal/messages";
    const cases: [string | Buffer, number, string][] = [
      ["{", 400, "invalid"],
      ["[]", 400, "invalid"],
      [message({ text: 7 }), 400, "invalid"],
      [message({ text: "" }), 400, "invalid"],
      [message({ text: "a\0b" }), 400, "invalid"],
      [message({ conversation: "a\nb" }), 400, "invalid"],
      [message({ text: "x".repeat(maxTextLength + 1) }), 400, "invalid"],
      [Buffer.concat([Buffer.from('{"text":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]), 400, "invalid"],
      [`{"text":"${"x".repeat(maxBodyBytes)}"}`, 413, "tooLarge"],
      [message({ group: "nobody" }), 404, "groupMissing"],
    ];
    for (const [body, status, code] of cases) assert.deepEqual(await post(system, path, body), [status, code]);
    assert.match(await system.ask("main", "still there?"), /still there\?/);
    assert.equal(await routerPid(), router, "never restarted");
  });

  const group = (extra: object) =>
    stringify({ apiVersion: "copepod.dev/v1alpha1", kind: "AgentGroup", metadata: { name: "extra" }, ...extra });
  const files: { what: string; text: string | Buffer; reason: RegExp }[] = [
    { what: "malformed YAML", text: "kind: [", reason: /./ },
    { what: "an unknown field", text: group({ spec: { colour: "red" } }), reason: /unknown field/ },
    { what: "a wrong type", text: group({ spec: { session: { maxRunning: "many" } } }), reason: /number|int/i },
    { what: "a duplicate name", text: group({ metadata: { name: "helper" } }), reason: /helper|twice|already/i },
    { what: "invalid UTF-8", text: Buffer.from([0x61, 0xff, 0x62]), reason: /UTF-8/i },
    { what: "NUL", text: group({ spec: { instructions: "a\0b" } }), reason: /NUL|control characters/i },
  ];
  it("in a resource file is reported with the file and a reason, and the other files stay in force", async () => {
    await using system = await System.start(terminalResources());
    for (const { what, text, reason } of files) {
      await writeFile(join(system.home, "resources", "zz-bad.yaml"), text);
      const problem = await until(`${what} is reported`, async () => {
        const { problems } = await system.admin.status({});
        return problems.find((found) => reason.test(`${found.path} ${found.reason}`));
      });
      assert.match(problem.file, /zz-bad\.yaml$/, what);
      await rm(join(system.home, "resources", "zz-bad.yaml"));
      await until("the problem is gone", async () => (await system.admin.status({})).problems.length === 0);
    }
    assert.match(await system.ask("main", "still there?"), /still there\?/);
  });
});

describe("a database", () => {
  it("of a newer version is refused with a sentence, and left as it is", async () => {
    await using system = await System.start(terminalResources());
    await system.ask("main", "hello");
    await system.end("SIGTERM");
    const setVersion = (version: number) => {
      const database = new Database(join(system.home, "queue.db"));
      const before = Number(database.pragma("user_version", { simple: true }));
      database.pragma(`user_version = ${version}`);
      database.close();
      return before;
    };
    const version = setVersion(9_999);
    await assert.rejects(system.up(), /The queue .* has version 9999/);
    assert.equal(setVersion(version), 9_999);
    await system.up();
    assert.equal((await system.lines("main")).length, 1);
  });
});

const canMount = process.getuid?.() === 0 && process.platform === "linux";

describe("a full disk", () => {
  const skip = canMount ? false : "needs root on Linux, to mount a small tmpfs";
  it("refuses messages with diskFull, loses nothing, and goes on when there is room", { skip }, async () => {
    const disk = mkdtempSync(join(tmpdir(), "copepod-full-"));
    const home = join(disk, "home");
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${smallDiskBytes}`, "tmpfs", disk]);
    try {
      mkdirSync(home);
      await using system = await System.start(terminalResources(), home);
      await system.ask("main", "before");
      const ballast = join(home, "ballast");
      execFileSync("sh", ["-c", `cat /dev/zero > ${ballast} 2>/dev/null || true`]);
      const refused = await until("a message is refused", async () => {
        const input = { conversation: "main", sender: "ann", text: "x".repeat(60_000), dedupeKey: `${Math.random()}` };
        return await system.admin.say(input).then(
          () => undefined,
          (error: unknown) => error,
        );
      });
      assert.equal(refused instanceof Error && "code" in refused && refused.code, "diskFull");
      await rm(ballast);
      assert.match(await system.ask("main", "after"), /after/);
      assert.match((await system.lines("main"))[0]?.text ?? "", /before/);
    } finally {
      execFileSync("umount", [disk]);
      rmSync(disk, { recursive: true, force: true });
    }
  });
});
