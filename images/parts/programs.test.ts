import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { withoutSymbols } from "./elf.ts";
import { programRecipe } from "./programs.ts";

const main = `
import { Worker } from "node:worker_threads";
new Worker(new URL("./counter-thread.ts", import.meta.url)).on("message", (count) => console.log(count));
`;
const thread = 'import { parentPort } from "node:worker_threads";\nparentPort?.postMessage(42);\n';

async function plant(folder: string): Promise<void> {
  await mkdir(join(folder, "sample"));
  await writeFile(join(folder, "sample/main.ts"), main);
  await writeFile(join(folder, "sample/counter-thread.ts"), thread);
}

const sample = { main: "sample/main.ts", threads: ["sample/counter-thread.ts"] };

describe("a program of an image", () => {
  it("starts its threads from the bundles beside it", async () => {
    await using place = await mkdtempDisposable(join(tmpdir(), "copepod-program-"));
    await plant(place.path);
    const { entries } = await (await programRecipe(place.path, sample, "1.2.3")).make();
    for (const entry of entries) {
      if (entry.kind !== "file" || !("bytes" in entry.content)) continue;
      await mkdir(join(place.path, "root", entry.path, ".."), { recursive: true });
      await writeFile(join(place.path, "root", entry.path), entry.content.bytes);
    }
    const home = join(place.path, "root/opt/copepod");
    const { stdout } = await promisify(execFile)(process.execPath, [join(home, "program/main.js")]);
    assert.equal(stdout, "42\n");
    assert.deepEqual(JSON.parse(await readFile(join(home, "package.json"), "utf8")), {
      name: "copepod-sample",
      version: "1.2.3",
      type: "module",
    });
  });

  it("is refused when it starts a thread that the catalogue does not name", async () => {
    await using place = await mkdtempDisposable(join(tmpdir(), "copepod-program-"));
    await plant(place.path);
    await assert.rejects(programRecipe(place.path, { main: sample.main }, "1"), /counter-thread\.ts, of which/);
  });

  it("is the same in another folder", async () => {
    await using place = await mkdtempDisposable(join(tmpdir(), "copepod-program-"));
    await plant(place.path);
    const first = await programRecipe(place.path, sample, "1");
    await cp(join(place.path, "sample"), join(place.path, "other/sample"), { recursive: true });
    assert.deepEqual((await programRecipe(join(place.path, "other"), sample, "1")).key, first.key);
  });

  it("names the packages that are in it", async () => {
    const root = resolve(import.meta.dirname, "../..");
    const { make } = await programRecipe(root, { main: "credential-proxy/src/main.ts" }, "1");
    const names = (await make()).packages.map(({ name }) => name);
    for (const name of ["pino", "undici", "zod"]) assert.ok(names.includes(name), name);
  });
});

const noElf = process.platform === "linux" ? undefined : "only Linux has ELF files";

describe("a binary without its symbols", () => {
  it("is smaller, and runs as before", { skip: noElf }, async () => {
    await using place = await mkdtempDisposable(join(tmpdir(), "copepod-elf-"));
    const before = await readFile(process.execPath);
    const after = withoutSymbols(before);
    assert.ok(after.length < before.length);
    const binary = join(place.path, "node");
    await writeFile(binary, after, { mode: 0o755 });
    const { stdout } = await promisify(execFile)(binary, ["--eval", "console.log(6 * 7)"]);
    assert.equal(stdout, "42\n");
  });

  it("is made of nothing else than a 64-bit ELF file", () => {
    assert.throws(() => withoutSymbols(Buffer.from("#!/bin/sh\n".repeat(10))), /no 64-bit ELF/);
  });
});
