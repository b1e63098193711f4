import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { readConfig } from "../config.ts";
import { tellProblems } from "./tell-problems.ts";

/** What is told of a home with so many files that are refused. */
async function toldOf(files: number): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "cpt-"));
  try {
    await mkdir(join(home, "resources"));
    for (let file = 1; file <= files; file++) await writeFile(join(home, "resources", `${file}.yaml`), "kind: Nope");
    const io = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
    await tellProblems({ io, settings: readConfig({ COPEPOD_HOME: home }, "/") });
    io.stderr.end();
    return await text(io.stderr);
  } finally {
    await rm(home, { recursive: true });
  }
}

describe("resources at the start", () => {
  it("are told of when some are refused: the first two problems, and where the others are", async () => {
    const told = await toldOf(3);
    assert.match(
      told,
      /^Some resources are refused; .*: 3\.\n {2}.*1\.yaml:1: .*\n {2}.*2\.yaml:1: .*\n`copepod doctor`/,
    );
    assert.doesNotMatch(told, /3\.yaml/);
  });

  it("need no word when all are good", async () => assert.equal(await toldOf(0), ""));
});
