import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import type { SessionContext } from "@copepod/core/mailbox-api";
import { pino } from "pino";
import { writeInstructions } from "./instructions.ts";

const context: SessionContext = {
  version: "1",
  session: "default/test",
  group: "demo",
  provider: "demo",
  agent: { mcpServers: [], skills: [] },
  maxMessagesPerPrompt: 10,
  timeZone: "UTC",
  instructions: "Answer in blocks.",
  destinations: [],
};

describe("the composed instructions", () => {
  it("are written as soon as the router knows them, readable for everybody", async () => {
    const dir = await mkdtemp(join(tmpdir(), "copepod-instructions-"));
    let calls = 0;
    const mailbox = {
      context: async () => {
        if (++calls < 3) throw new CopepodError("podUnknown", "not yet");
        return context;
      },
    };
    const deps = { mailbox, dir: join(dir, "new"), random: () => 0, log: pino({ level: "silent" }) };
    await writeInstructions(deps, new AbortController().signal);
    assert.deepEqual(await readdir(join(dir, "new")), ["instructions.md"]);
    assert.equal(await readFile(join(dir, "new/instructions.md"), "utf8"), context.instructions);
    assert.equal((await stat(join(dir, "new/instructions.md"))).mode & 0o777, 0o644);
    await rm(dir, { recursive: true });
  });

  it("are no longer waited for when the proxy ends", async () => {
    const ending = new AbortController();
    const mailbox = {
      context: async () => {
        ending.abort();
        throw new CopepodError("unavailable", "down");
      },
    };
    await writeInstructions(
      { mailbox, dir: "/nowhere", random: () => 0, log: pino({ level: "silent" }) },
      ending.signal,
    );
  });
});
