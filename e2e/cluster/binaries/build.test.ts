import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { promisify } from "node:util";
import { type BuildOptions, buildTool, progressOf } from "./build.ts";
import type { ToolModule } from "./module.ts";

const skip = spawnSync("go", ["version"]).status === 0 ? false : "Go is not on the PATH";

const source = (more = "") => `package main

import (
	"fmt"
	"os"
	"path/filepath"
)

var version = "none"

func main() {
	fmt.Println(filepath.Base(os.Args[0]), version)${more}
}
`;

describe("building programs from Go modules", { skip }, () => {
  let root: string;
  let said: string[];
  let tool: ToolModule;
  let options: BuildOptions;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "cluster-build-"));
    said = [];
    const folder = join(root, "module");
    await mkdir(folder);
    await writeFile(join(folder, "go.mod"), "module example.test/tiny\n\ngo 1.21\n");
    await writeFile(join(folder, "main.go"), source());
    tool = { name: "tiny", folder, packages: ".", stamp: () => ({ "main.version": "v1" }) };
    options = {
      cache: join(root, "cache"),
      env: process.env,
      say: (line) => said.push(line),
      signal: new AbortController().signal,
    };
  });
  afterEach(async () => await rm(root, { recursive: true }));

  const build = async (more: Partial<BuildOptions> = {}) =>
    await buildTool(tool, ["one", "two"], { ...options, ...more });
  const finished = async () => (await readdir(options.cache)).filter((name) => !name.endsWith(".lock"));

  it("gives one program all its names, knows its version, and tells what it does", async () => {
    const folder = await build();
    for (const name of ["one", "two"]) {
      assert.equal((await promisify(execFile)(join(folder, name))).stdout, `${name} v1\n`);
    }
    assert.equal(said[0], "building tiny from Go modules, this once");
    assert.match(said.at(-1) ?? "", /^built tiny in \d+ s; kept in /);
    assert.deepEqual(await finished(), [basename(folder)]);
  });

  it("is done once: what is finished is taken without Go, until anything that decides about it changes", async () => {
    const first = await build();
    said.length = 0;
    assert.equal(await build({ env: {} }), first);
    assert.deepEqual(said, []);
    await writeFile(join(tool.folder, "main.go"), source("\n\tos.Exit(3)"));
    const changed = await build();
    tool = { ...tool, tags: ["netgo"] };
    const tagged = await build();
    assert.equal(new Set([first, changed, tagged]).size, 3);
    await assert.rejects(promisify(execFile)(join(changed, "one")), { code: 3 });
  });

  it("is done again when a program is gone or cut off, and says which folder that is in", async () => {
    const folder = await build();
    const whole = (await stat(join(folder, "one"))).size;
    const damages = [() => rm(join(folder, "two")), () => truncate(join(folder, "tiny"), whole - 1)];
    for (const damage of damages) {
      await damage();
      said.length = 0;
      assert.equal(await build(), folder);
      assert.equal(said[0], `what is in ${folder} is not whole: it is built again`);
      for (const name of ["one", "two"])
        assert.equal((await promisify(execFile)(join(folder, name))).stdout, `${name} v1\n`);
    }
    assert.deepEqual(await finished(), [basename(folder)]);
  });

  it("takes with it what was built of it long ago, and what was given up then", async () => {
    const old = ["tiny-00000000000a", "tiny-00000000000b.draft", "tiny-other-00000000000c"];
    for (const name of [...old, "tiny-00000000000d"]) await mkdir(join(options.cache, name), { recursive: true });
    for (const name of old) await utimes(join(options.cache, name), 0, 0);
    const folder = await build();
    assert.deepEqual(
      (await finished()).sort(),
      [basename(folder), "tiny-00000000000d", "tiny-other-00000000000c"].sort(),
    );
  });

  it("is done by one of several who want it at once", async () => {
    const [one, other] = await Promise.all([build(), build()]);
    assert.equal(one, other);
    assert.equal(said.filter((line) => line.startsWith("built")).length, 1);
  });

  it("is not disturbed by flags and targets in the environment", async () => {
    const env = { ...process.env, GOFLAGS: "-mod=vendor -tags=other", GOOS: "plan9", GOARCH: "arm" };
    const folder = await build({ env });
    assert.equal((await promisify(execFile)(join(folder, "one"))).stdout, "one v1\n");
  });

  it("ends with Go's own words when it fails, and leaves nothing that counts as finished", async () => {
    await writeFile(join(tool.folder, "main.go"), source("\n\tundefined()"));
    await assert.rejects(build(), { code: "unavailable", message: /^go build failed: .*undefined/s });
    assert.deepEqual(
      (await finished()).filter((name) => !name.endsWith(".draft")),
      [],
    );
    await writeFile(join(tool.folder, "main.go"), source());
    await build();
  });

  it("says that Go is missing where it is missing", async () => {
    await assert.rejects(build({ env: { PATH: root } }), { code: "notFound", message: "Go is not on the PATH" });
  });

  it("says so when Go is too old", async () => {
    await writeFile(join(tool.folder, "go.mod"), "module example.test/tiny\n\ngo 1.999\n");
    const env = { ...process.env, GOTOOLCHAIN: "local" };
    await assert.rejects(build({ env }), { code: "notFound", message: /^Go is too old \(.*1\.999.*\)$/ });
  });

  it("can be interrupted", async () => {
    const interruption = new AbortController();
    const building = build({ signal: interruption.signal, say: () => interruption.abort() });
    await assert.rejects(building, { name: "AbortError" });
    await build();
  });
});

describe("the time that a build has left", () => {
  it("is reckoned from the source files that are done", () => {
    let now = 0;
    const progress = progressOf(
      new Map([
        ["a", 10],
        ["b", 30],
        ["c", 60],
        ["main", 100],
      ]),
      () => now,
    );
    assert.equal(progress.describe(), "0 of 4 packages");
    now = 10_000;
    progress.built("a");
    progress.built("a");
    progress.built("something else");
    assert.equal(progress.describe(), "1 of 4 packages, about 3 min left");
    now = 40_000;
    progress.built("b");
    assert.equal(progress.describe(), "2 of 4 packages, about 3 min left");
    now = 50_000;
    progress.built("c");
    assert.equal(progress.describe(), "3 of 4 packages, linking");
  });
});
