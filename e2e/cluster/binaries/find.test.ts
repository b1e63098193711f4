import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { programs, type Tool, tools } from "./catalogue.ts";
import { findBinaries, findFolders } from "./find.ts";
import { writeManifest } from "./manifest.ts";
import { finishedName, moduleFolder, neededGo, pinnedVersion } from "./module.ts";

const signal = new AbortController().signal;

describe("finding programs", () => {
  let root: string;
  let said: string[];
  let pinned: { kubernetes: string; etcd: string };
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "cluster-find-"));
    said = [];
    const folder = moduleFolder("kubernetes");
    pinned = {
      kubernetes: await pinnedVersion(folder, "k8s.io/kubernetes"),
      etcd: await pinnedVersion(folder, "go.etcd.io/etcd/server/v3"),
    };
  });
  afterEach(async () => await rm(root, { recursive: true }));

  /** A program that tells a version as the real one does. */
  async function fake(place: string, name: string, words: string): Promise<string> {
    const path = join(root, place, name);
    await mkdir(join(root, place), { recursive: true });
    await writeFile(path, `#!/bin/sh\necho "${words}"\n`);
    await chmod(path, 0o755);
    return path;
  }
  // No cache but this, and no Go.
  const options = (more: NodeJS.ProcessEnv = {}) => ({
    env: { PATH: join(root, "bin"), XDG_CACHE_HOME: join(root, "cache"), ...more },
    say: (line: string) => said.push(line),
    signal,
  });

  it("takes those on the PATH whose minor version is ours, and says so", async () => {
    const etcd = await fake("bin", "etcd", `etcd Version: ${pinned.etcd.slice(1)}`);
    const minor = pinned.kubernetes.split(".").slice(0, 2).join(".");
    const kubectl = await fake("bin", "kubectl", `Client Version: ${minor}.999`);
    assert.deepEqual(await findBinaries(["etcd", "kubectl"], options()), { etcd, kubectl });
    assert.deepEqual(said.sort(), [
      `using etcd ${pinned.etcd.slice(1)} from the PATH`,
      `using kubectl ${minor.slice(1)}.999 from the PATH`,
    ]);
    assert.deepEqual(await findFolders(["etcd", "kubectl", "helm"], options()), [join(root, "bin")]);
  });

  it("prefers $KUBEBUILDER_ASSETS, where it fits", async () => {
    await fake("bin", "etcd", `etcd Version: ${pinned.etcd.slice(1)}`);
    const etcd = await fake("assets", "etcd", `etcd Version: ${pinned.etcd.slice(1)}`);
    const assets = { KUBEBUILDER_ASSETS: join(root, "assets") };
    assert.deepEqual(await findBinaries(["etcd"], options(assets)), { etcd });
    await fake("assets", "etcd", "etcd Version: 3.4.1");
    assert.deepEqual(await findBinaries(["etcd"], options(assets)), { etcd: join(root, "bin", "etcd") });
    assert.match(said.join("\n"), /not using .*assets\/etcd: it is 3\.4\.1, and 3\.6 is needed/);
  });

  it("names what must be built and what to do when Go is missing", async () => {
    const path = await fake("bin", "kubectl", "Client Version: v1.20.1");
    await fake("bin", "kube-apiserver", "I don't know");
    await assert.rejects(findBinaries(["kubectl", "kube-apiserver"], options()), {
      code: "notFound",
      message: new RegExp(
        `^kubernetes ${pinned.kubernetes} has to be built, and Go is not on the PATH: install Go 1\\.\\d+ or newer, or have .*kubectl`,
      ),
    });
    assert.ok(said.some((line) => line === `not using ${path}: it is 1.20.1, and 1.35 is needed`));
    assert.ok(said.some((line) => /kube-apiserver: it is of no version that it tells/.test(line)));
  });

  it("takes what was built earlier, where that is whole", async () => {
    const tool = { ...tools.pause, name: "pause", folder: moduleFolder("pause") };
    const place = join("cache", "copepod", "binaries", await finishedName(tool));
    const pause = await fake(place, "pause", "");
    await writeManifest(join(root, place));
    assert.deepEqual(await findBinaries(["pause"], options()), { pause });
    await truncate(pause);
    await assert.rejects(findBinaries(["pause"], options()), { code: "notFound" });
    assert.ok(said.some((line) => line === `what is in ${join(root, place)} is not whole: it is built again`));
  });

  it("takes no program that can't tell its version", async () => {
    await fake("bin", "ptp", "CNI ptp plugin v1.9.1");
    await assert.rejects(findBinaries(["ptp"], options()), { code: "notFound" });
  });
});

describe("the catalogue of programs", () => {
  for (const [name, { module, packages }] of Object.entries<Tool>(tools)) {
    it(`pins ${name}, with every module's checksum`, async () => {
      const files = await readdir(moduleFolder(name));
      assert.ok(files.includes("go.mod"));
      if (module === undefined) return;
      assert.ok(files.includes("go.sum"));
      assert.match(await pinnedVersion(moduleFolder(name), module), /^v\d+\.\d+\.\d+$/);
      const own = Object.entries(programs).filter(([, { tool }]) => tool === name);
      if (typeof packages !== "string")
        assert.deepEqual(own.map(([program]) => program).sort(), Object.keys(packages).sort());
    });
  }

  it("needs the version of Go that the README names, and no newer one", async () => {
    const needed = await Promise.all(Object.keys(tools).map((name) => neededGo(moduleFolder(name))));
    const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
    const byVersion = (one: string, other: string) => one.localeCompare(other, "en", { numeric: true });
    assert.equal(/takes Go (\S+) or newer/.exec(readme)?.[1], needed.sort(byVersion).at(-1));
  });
});
