import assert from "node:assert/strict";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import type { ResourceStore } from "./resource-store.ts";
import { maxFiles } from "./scan-folder.ts";
import { openYamlFolder } from "./yaml-folder.ts";

const noLog = { info: () => undefined, warn: () => undefined };

const group = (name: string, instructions = "be kind"): string =>
  `apiVersion: copepod.dev/v1alpha1\nkind: AgentGroup\nmetadata:\n  name: ${name}\nspec:\n  instructions: ${instructions}\n`;

let base: string;
let folder: string;
let store: ResourceStore | undefined;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "copepod-yaml-"));
  folder = join(base, "resources");
  await mkdir(folder);
});

afterEach(async () => {
  await store?.[Symbol.asyncDispose]();
  store = undefined;
  await rm(base, { recursive: true, force: true });
});

async function put(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

async function open(timing: { settleMs?: number; rescanMs?: number } = {}): Promise<ResourceStore> {
  store = await openYamlFolder({ folder, log: noLog, timing: { settleMs: 40, rescanMs: 60_000, ...timing } });
  return store;
}

const names = (of: ResourceStore): string[] => [...of.current().agentGroups.keys()].sort();
const instructionsOf = (of: ResourceStore, name: string) =>
  of.current().agentGroups.get(`default/${name}`)?.spec.instructions;
const groupDocument = (name: string, spec: object = {}) => ({
  apiVersion: "copepod.dev/v1alpha1",
  kind: "AgentGroup",
  metadata: { name },
  spec,
});

/** Resolves at the first change after which the condition holds. */
async function until(of: ResourceStore, holds: () => boolean): Promise<void> {
  if (holds()) return;
  const found = new EventTarget();
  const stop = of.onChange(() => holds() && found.dispatchEvent(new Event("found")));
  await once(found, "found", { signal: AbortSignal.timeout(10_000) });
  stop();
}

describe("a folder of resources, when it is opened", () => {
  it("is made when it is missing", async () => {
    await rm(folder, { recursive: true });
    assert.deepEqual(names(await open()), []);
  });

  it("gives the resources of all files and folders, with defaults", async () => {
    await put("a.yaml", `${group("one")}---\n${group("two")}---\n# nothing here\n`);
    await put("deeper/still/b.yml", group("three"));
    await put("notes.txt", "not yaml: [");
    await put(".hidden.yaml", "not yaml: [");
    const opened = await open();
    assert.deepEqual(names(opened), ["default/one", "default/three", "default/two"]);
    assert.equal(opened.current().agentGroups.get("default/one")?.spec.agent.provider, "demo");
    assert.deepEqual(opened.problems(), []);
  });

  const badFiles: Record<string, { content: string | Buffer; line?: number; path?: string; reason: RegExp }> = {
    "malformed YAML": { content: `${group("x")}  oops: [1,\n`, line: 8, reason: /malformed YAML/ },
    "a tag that nobody knows": { content: group("x", "!secret y"), line: 6, reason: /malformed YAML/ },
    "a key that is there twice": { content: `${group("x")}kind: User\n`, line: 7, reason: /malformed YAML/ },
    "an unknown field": { content: `${group("x")}  extra: 1\n`, line: 7, path: "spec.extra", reason: /unknown field/ },
    "a wrong type": { content: group("x", "[1]"), line: 6, path: "spec.instructions", reason: /expected string/ },
    "a missing field": {
      content: group("x").replace("  name: x\n", "  namespace: y\n"),
      line: 3,
      path: "metadata.name",
      reason: /expected string/,
    },
    "an unknown kind": { content: group("x").replace("AgentGroup", "Agent"), line: 2, path: "kind", reason: /one of/ },
    "another version": {
      content: group("x").replace("v1alpha1", "v9"),
      line: 1,
      path: "apiVersion",
      reason: /must be/,
    },
    "a session": {
      content:
        "apiVersion: copepod.dev/v1alpha1\nkind: Session\nmetadata: {name: s}\nspec: {group: g, key: {kind: Group}}\n",
      line: 1,
      path: "kind",
      reason: /sessions live in the database/,
    },
    "something that is no object": { content: "# hello\n- 1\n", line: 2, reason: /must be an object/ },
    "the same name twice": { content: `${group("x")}---\n${group("x")}`, line: 8, reason: /also in line 1/ },
    NUL: { content: `${group("x")}# \0\n`, line: 7, reason: /NUL/ },
    "invalid UTF-8": {
      content: Buffer.concat([Buffer.from(group("x")), Buffer.from([0x23, 0xff])]),
      line: 7,
      reason: /UTF-8/,
    },
    "UTF-8 that ends in the middle": { content: Buffer.from("# é").subarray(0, 3), line: 1, reason: /UTF-8/ },
    "too many bytes": { content: `${group("x")}#${"x".repeat(1024 * 1024)}`, reason: /larger than 1048576 bytes/ },
    "too much nesting": { content: "[".repeat(200_000), line: 1, reason: /nested too deeply/ },
    "an alias bomb": {
      content: `a: &a [${"x,".repeat(50)}]\nb: &b [${"*a,".repeat(50)}]\nc: [${"*b,".repeat(50)}]\n`,
      line: 1,
      reason: /malformed YAML: Excessive alias count/,
    },
  };
  for (const [what, expected] of Object.entries(badFiles)) {
    it(`tells file, line, path and reason of ${what}, and goes on with the others`, async () => {
      const file = await put("bad.yaml", expected.content);
      await put("good.yaml", group("good"));
      const opened = await open();
      assert.deepEqual(names(opened), ["default/good"]);
      const [problem] = opened.problems();
      assert.equal(problem?.file, file);
      assert.equal(problem?.line, expected.line);
      if (expected.path) assert.equal(problem?.path, expected.path);
      assert.match(problem?.reason ?? "", expected.reason);
    });
  }

  it("takes a file as a whole or not at all", async () => {
    await put("mixed.yaml", `${group("fine")}---\n${group("x")}  extra: 1\n`);
    assert.deepEqual(names(await open()), []);
  });

  it("blames the later path for a name that is in two files", async () => {
    const later = await put("b.yaml", `${group("x", "later")}---\n${group("y")}`);
    await put("a.yaml", group("x", "earlier"));
    const opened = await open();
    assert.equal(instructionsOf(opened, "x"), "earlier");
    assert.deepEqual(names(opened), ["default/x"]);
    assert.deepEqual(opened.problems(), [
      {
        file: later,
        line: 1,
        path: "metadata.name",
        reason: `AgentGroup/default/x is also in ${join(folder, "a.yaml")}`,
      },
    ]);
  });

  it("follows a symbolic link within the folder, and none that leaves it", async () => {
    await writeFile(join(base, "outside.yaml"), group("outside"));
    await put("inside.txt", group("inside"));
    await symlink("inside.txt", join(folder, "in.yaml"));
    await symlink(join(base, "outside.yaml"), join(folder, "out.yaml"));
    const opened = await open();
    assert.deepEqual(names(opened), ["default/inside"]);
    assert.match(opened.problems()[0]?.reason ?? "", /leaves the folder/);
  });

  it("says that a folder is not a file", async () => {
    await mkdir(join(base, "elsewhere"));
    await symlink(join(base, "elsewhere"), join(folder, "dir.yaml"));
    await symlink(folder, join(folder, "loop.yaml"));
    assert.deepEqual(
      (await open()).problems().map(({ reason }) => reason),
      ["is a symbolic link that leaves the folder, so it is not followed", "is not a regular file"],
    );
  });

  it("reads as many files as it may, and says which it leaves out", async () => {
    for (let index = 0; index <= maxFiles; index++) await put(`${String(index).padStart(4, "0")}.yaml`, "");
    const [problem] = (await open()).problems();
    assert.match(problem?.reason ?? "", /more than 1000 files; not read: .*1000\.yaml/);
  });
});

describe("a folder of resources, while it is watched", () => {
  it("takes in new, changed and deleted files", async () => {
    const opened = await open();
    const path = await put("a.yaml", group("a", "first"));
    await until(opened, () => instructionsOf(opened, "a") === "first");
    await put("a.yaml", group("a", "other"));
    await until(opened, () => instructionsOf(opened, "a") === "other");
    await rm(path);
    await until(opened, () => names(opened).length === 0);
  });

  it("sees files in folders that are made later", async () => {
    const opened = await open({ rescanMs: 20 });
    await put("new/deep/a.yaml", group("a"));
    await until(opened, () => names(opened).length === 1);
  });

  it("lives on when a folder in it becomes a file", async () => {
    const opened = await open({ rescanMs: 20 });
    await put("sub/a.yaml", group("a"));
    await until(opened, () => names(opened).length === 1);
    await rm(join(folder, "sub"), { recursive: true });
    await put("sub", "not a folder any more");
    await until(opened, () => names(opened).length === 0);
    await put("b.yaml", group("b"));
    await until(opened, () => names(opened)[0] === "default/b");
  });

  it("looks from time to time when the file system reports nothing", async () => {
    await put("a.yaml", group("a"));
    const elsewhere = join(base, "linked.txt");
    const opened = await open({ rescanMs: 20 });
    // A change of what a folder's link points to is no event in the folder.
    await rename(folder, elsewhere);
    await mkdir(folder);
    await put("b.yaml", group("b"));
    await until(opened, () => names(opened)[0] === "default/b");
  });

  it("keeps the last good state of a file that turns bad, until it is mended", async () => {
    await put("a.yaml", group("a", "good"));
    const opened = await open();
    const before = opened.current();
    await put("a.yaml", `${group("a", "changed")}  extra: 1\n`);
    await until(opened, () => opened.problems().length === 1);
    assert.equal(opened.current(), before);
    await put("a.yaml", group("a", "mended"));
    await until(opened, () => opened.problems().length === 0);
    assert.equal(instructionsOf(opened, "a"), "mended");
  });

  it("forgets a bad file that is deleted", async () => {
    await put("a.yaml", group("a"));
    const opened = await open();
    const path = await put("a.yaml", "kind: [");
    await until(opened, () => opened.problems().length === 1);
    await rm(path);
    await until(opened, () => opened.problems().length === 0 && names(opened).length === 0);
  });

  it("keeps the last good state of a file that begins to repeat another's name", async () => {
    await put("a.yaml", group("a"));
    await put("b.yaml", group("b", "old"));
    const opened = await open();
    await put("b.yaml", `${group("b", "new")}---\n${group("a")}`);
    await until(opened, () => opened.problems().length === 1);
    assert.equal(instructionsOf(opened, "b"), "old");
  });

  it("does not flap when an editor removes a file and writes it again", async () => {
    const path = await put("a.yaml", group("a", "old"));
    const opened = await open({ settleMs: 100 });
    const seen: (string | undefined)[] = [];
    opened.onChange(() => seen.push(instructionsOf(opened, "a")));
    await rename(path, `${path}~`);
    await put("a.yaml", "");
    await put("a.yaml", group("a", "new"));
    await until(opened, () => instructionsOf(opened, "a") === "new");
    assert.deepEqual(seen, ["new"]);
  });

  it("gives the same object as long as nothing that counts has changed", async () => {
    await put("a.yaml", group("a"));
    const opened = await open();
    const before = opened.current();
    let changes = 0;
    opened.onChange(() => changes++);
    await put("a.yaml", `# only a comment\n${group("a")}`);
    await put("b.yaml", group("b"));
    await until(opened, () => names(opened).length === 2);
    assert.equal(changes, 1);
    assert.notEqual(opened.current(), before);
  });

  it("keeps everything when the folder itself is gone, and says so", async () => {
    await put("a.yaml", group("a"));
    const opened = await open({ rescanMs: 20 });
    await rename(folder, `${folder}-away`);
    await until(opened, () => opened.problems().length === 1);
    assert.deepEqual(names(opened), ["default/a"]);
    await rename(`${folder}-away`, folder);
    await until(opened, () => opened.problems().length === 0);
  });
});

describe("applying a resource", () => {
  it("writes a file of its own, visible at once", async () => {
    const opened = await open();
    const applied = await opened.apply(groupDocument("helper", { instructions: "be brief" }));
    assert.deepEqual(applied, { result: "created", kind: "AgentGroup", name: "helper" });
    assert.equal(instructionsOf(opened, "helper"), "be brief");
    const text = await readFile(join(folder, "agentgroup-helper.yaml"), "utf8");
    assert.match(text, /instructions: be brief/);
    assert.doesNotMatch(text, /maxRunning/);
  });

  it("says when nothing changes, and writes nothing", async () => {
    const path = await put("a.yaml", group("a"));
    const opened = await open();
    const result = await opened.apply(groupDocument("a", { instructions: "be kind", timeZone: "UTC" }));
    assert.equal(result.result, "unchanged");
    assert.equal(await readFile(path, "utf8"), group("a"));
  });

  it("takes back what a list prints, status included", async () => {
    const opened = await open();
    await opened.apply({ ...groupDocument("a"), status: { sessions: 1 } });
    assert.doesNotMatch(await readFile(join(folder, "agentgroup-a.yaml"), "utf8"), /status/);
  });

  it("rewrites only its own document, and keeps comments", async () => {
    const first = `# about one\n${group("one")}  # about zones\n  timeZone: Europe/Berlin\n`;
    const second = `---\n# about two\n${group("two")}`;
    const third = `---\n# about three\n${group("three")}`;
    const path = await put("all.yaml", first + second + third);
    const opened = await open();
    const { result } = await opened.apply(groupDocument("two", { instructions: "new", session: { idleAfter: "5s" } }));
    assert.equal(result, "configured");
    const text = await readFile(path, "utf8");
    assert.ok(text.startsWith(first));
    assert.ok(text.endsWith(third));
    assert.match(text, /---\n# about two\n[^#]*instructions: new\n {2}session:\n {4}idleAfter: 5s\n/);
    await opened.apply(groupDocument("one", { instructions: "x", timeZone: "UTC" }));
    assert.match(
      await readFile(path, "utf8"),
      /^# about one\n[^#]*instructions: x\n {2}# about zones\n {2}timeZone: UTC\n---/,
    );
    assert.deepEqual(names(opened), ["default/one", "default/three", "default/two"]);
  });

  it("keeps the permissions of a file", async () => {
    const path = await put("a.yaml", group("a"));
    await chmod(path, 0o640);
    const opened = await open();
    await opened.apply(groupDocument("a", { instructions: "x" }));
    assert.equal((await stat(path)).mode & 0o777, 0o640);
  });

  it("refuses what a file would be refused for, and changes nothing", async () => {
    const opened = await open();
    const refusals: [unknown, RegExp][] = [
      [groupDocument("a", { extra: 1 }), /^spec\.extra: unknown field$/],
      [groupDocument("a", { session: { idleAfter: "soon" } }), /spec\.session\.idleAfter/],
      [
        { ...groupDocument("s", { group: "g", key: { kind: "Group" } }), kind: "Session" },
        /sessions live in the database/,
      ],
      ["text", /must be an object/],
    ];
    for (const [document, message] of refusals) {
      await assert.rejects(opened.apply(document), (error) => {
        assert.ok(error instanceof CopepodError && error.code === "invalid");
        assert.match(error.message, message);
        return true;
      });
    }
    assert.deepEqual(await readdir(folder), []);
  });

  it("does not touch a file that is bad at the moment", async () => {
    await put("a.yaml", group("a"));
    const opened = await open();
    await put("a.yaml", `${group("a")}  extra: 1\n`);
    await assert.rejects(opened.apply(groupDocument("a", { instructions: "x" })), /which is bad: mend that first/);
  });

  it("does not overwrite another file that has its name", async () => {
    const path = await put("agentgroup-b.yaml", group("a"));
    const opened = await open();
    await opened.apply(groupDocument("b"));
    assert.equal(await readFile(path, "utf8"), group("a"));
    assert.deepEqual(names(opened), ["default/a", "default/b"]);
  });

  it("takes several at the same time, one after the other", async () => {
    const opened = await open();
    const wanted = Array.from({ length: 20 }, (_, index) => groupDocument("a", { instructions: `number ${index}` }));
    const results = await Promise.all(wanted.map((document) => opened.apply(document)));
    assert.deepEqual(new Set(results.map(({ result }) => result)), new Set(["created", "configured"]));
    assert.equal(instructionsOf(opened, "a"), "number 19");
    assert.deepEqual(await readdir(folder), ["agentgroup-a.yaml"]);
  });
});
