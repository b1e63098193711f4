import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { apiVersion } from "@copepod/crds/definition";
import { stringify } from "yaml";
import { readProblems } from "../home/read-problems.ts";
import { FakeTerminal } from "../testing/fake-terminal.ts";
import { runCli } from "../testing/run-cli.ts";
import { readSecret } from "./read-secret.ts";

const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

describe("copepod keys", () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "cpk-"));
  });
  afterEach(() => rm(home, { recursive: true }));

  const keys = async (...args: string[]) => await runCli(["keys", ...args], { home });
  const add = async (stdin: string, ...args: string[]) => await runCli(["keys", "add", ...args], { home, stdin });

  it("stores what is piped in, trimmed, for its owner alone", async () => {
    await mkdir(join(home, "keys"), { mode: 0o755 });
    await chmod(join(home, "keys"), 0o755);
    const { code, stdout, stderr } = await add("  s3cret \n", "github", "--key", "token.txt");
    assert.deepEqual([code, stdout], [0, "key github/token.txt stored\n"]);
    assert.doesNotMatch(stderr, /s3cret/);
    const path = join(home, "keys", "github", "token.txt");
    assert.equal(await readFile(path, "utf8"), "s3cret");
    assert.deepEqual(
      [await modeOf(path), await modeOf(join(home, "keys/github")), await modeOf(join(home, "keys"))],
      [0o600, 0o700, 0o700],
    );
  });

  it("replaces a key as a whole, and leaves nothing beside it", async () => {
    await add("a longer one", "github");
    assert.match((await add("short", "github")).stdout, /key github\/key replaced/);
    assert.equal(await readFile(join(home, "keys/github/key"), "utf8"), "short");
    assert.deepEqual(await readdir(join(home, "keys/github")), ["key"]);
  });

  const refused: [string, string[], RegExp][] = [
    [" \n", ["a"], /The key is empty/],
    ["x".repeat(8_193), ["a"], /longer than 8192 bytes/],
    ["x".repeat(100_000), ["a"], /longer than 8192 bytes/],
    ["s3cret\ns3cret", ["a"], /one line of printable ASCII/],
    ["s3crét", ["a"], /one line of printable ASCII/],
    ["s3cret", ["../a"], /name: must be lower case letters/],
    ["s3cret", ["A"], /name: must be lower case letters/],
    ["s3cret", ["a", "--key", "../b"], /key: must be letters/],
    ["s3cret", ["a", "--key", ".b"], /key: must be letters/],
  ];
  for (const [stdin, args, message] of refused) {
    it(`refuses ${JSON.stringify(stdin.slice(0, 20))} as ${args.join(" ")}, and never repeats the value`, async () => {
      const { code, stdout, stderr } = await add(stdin, ...args);
      assert.equal(code, 1);
      assert.match(stderr, message);
      assert.doesNotMatch(stdout + stderr, /s3cr/);
      assert.deepEqual(await readdir(home), []);
    });
  }

  it("may be done by several at once: one of them wins, whole, and nothing is left of the others", async () => {
    const values = Array.from({ length: 8 }, (_, index) => `${index}`.repeat(100));
    const ran = await Promise.all(values.map((value) => add(value, "github")));
    assert.deepEqual(
      ran.map(({ code, stderr }) => [code, /Error/.test(stderr)]),
      values.map(() => [0, false]),
    );
    assert.ok(values.includes(await readFile(join(home, "keys/github/key"), "utf8")));
    assert.deepEqual(await readdir(join(home, "keys/github")), ["key"]);
  });

  it("removes what one that was killed has left", async () => {
    await add("a first key", "github");
    const left = join(home, "keys/github/.key.1.new");
    await writeFile(left, "half");
    await utimes(left, 0, 0);
    await add("a second key", "github");
    assert.deepEqual(await readdir(join(home, "keys/github")), ["key"]);
  });

  it("stores what is short or in quotes, and warns without repeating it", async () => {
    const { code, stderr } = await add('"s3cr"', "github");
    assert.equal(code, 0);
    assert.match(stderr, /with the quotes around it.*\nIt is shorter than 12 characters/);
    assert.doesNotMatch(stderr, /s3cr/);
    assert.doesNotMatch((await add("a usual secret", "github")).stderr, /quotes|shorter/);
  });

  it("takes the longest key", async () => assert.equal((await add("x".repeat(8_192), "a")).code, 0));

  it("makes the Credential of a known model API, and says how an agent uses it", async () => {
    await mkdir(join(home, "resources"));
    for (const name of ["anthropic", "claude", "openai"]) {
      const { stderr } = await add("s3cret", name);
      assert.match(stderr, new RegExp(`Made the Credential "${name}" in .*${name}\\.yaml`));
      assert.match(stderr, new RegExp(`credentials: \\[${name}\\]`));
    }
    assert.deepEqual(await readProblems(join(home, "resources")), []);
    const again = await add("other", "anthropic");
    assert.doesNotMatch(again.stderr, /Made/);
    assert.match(again.stderr, /provider: claude/);
  });

  it("says how a Credential refers to a key of another name, until one does", async () => {
    await mkdir(join(home, "resources"));
    assert.match((await add("s3cret", "github")).stderr, /docs\/agents\.md.*\n +secretRef: \{name: github\}\n$/);
    const other = await add("s3cret", "anthropic", "--key", "second");
    assert.match(other.stderr, /secretRef: \{name: anthropic, key: second\}/);
    const upstream = { api: "OpenAI" };
    const credential = {
      kind: "Credential",
      metadata: { name: "a" },
      spec: { upstream, secretRef: { name: "github" } },
    };
    await writeFile(join(home, "resources/a.yaml"), stringify({ apiVersion, ...credential }));
    assert.equal((await add("another secret", "github")).stderr, "");
  });

  it("says which Credentials one agent group can't use together", async () => {
    await mkdir(join(home, "resources"));
    for (const name of ["anthropic", "openai"]) {
      assert.doesNotMatch((await add("s3cret", name)).stderr, /only one of/);
    }
    const { stderr } = await add("s3cret", "claude");
    assert.match(stderr, /One agent group can use only one of "anthropic" and "claude": .* left out\.\n$/);
  });

  it("makes no Credential over one that exists in another file, or over a file with something else", async () => {
    await mkdir(join(home, "resources"));
    await add("s3cret", "openai");
    const text = await readFile(join(home, "resources/openai.yaml"), "utf8");
    await writeFile(join(home, "resources/mine.yaml"), text);
    await rm(join(home, "resources/openai.yaml"));
    await add("s3cret", "openai");
    await writeFile(join(home, "resources/claude.yaml"), "# mine\n");
    assert.match((await add("s3cret", "claude")).stderr, /claude\.yaml exists and holds something else/);
    assert.deepEqual((await readdir(join(home, "resources"))).sort(), ["claude.yaml", "mine.yaml"]);
  });

  it("leaves the resources to the first start where there are none yet", async () => {
    assert.match((await add("s3cret", "anthropic")).stderr, /first start/);
    assert.deepEqual(await readdir(home), ["keys"]);
  });

  it("lists keys with their age and the Credentials that use them, never values", async () => {
    assert.match((await keys("list")).stderr, /No keys yet/);
    await mkdir(join(home, "resources"));
    await add("s3cret", "anthropic");
    await add("s3cret", "github", "--key", "token");
    const table = (await keys("list")).stdout;
    assert.match(table, /^NAME +KEY +AGE +CREDENTIALS\nanthropic +key +\ds +anthropic\ngithub +token +\ds +<none>\n$/);
    const { items } = JSON.parse((await keys("list", "-o", "json")).stdout);
    assert.deepEqual(
      items.map(({ name, key, credentials }: Record<string, unknown>) => ({ name, key, credentials })),
      [
        { name: "anthropic", key: "key", credentials: ["anthropic"] },
        { name: "github", key: "token", credentials: [] },
      ],
    );
    assert.doesNotMatch(table + JSON.stringify(items), /s3cret/);
  });

  it("removes a key and its empty folder, says when a Credential refers to it, and may be repeated", async () => {
    await mkdir(join(home, "resources"));
    await add("s3cret", "anthropic");
    const first = await keys("remove", "anthropic");
    assert.equal(first.stdout, "key anthropic/key removed\n");
    assert.match(first.stderr, /the Credential anthropic refers to it/);
    assert.deepEqual(await readdir(join(home, "keys")), []);
    const second = await keys("remove", "anthropic");
    assert.deepEqual([second.code, second.stdout], [0, "key anthropic/key does not exist; nothing was removed\n"]);
  });
});

describe("a secret that is typed", () => {
  it("is not shown, and can be mended before Enter", async () => {
    const terminal = new FakeTerminal();
    const secret = readSecret(terminal.io, "Key: ");
    await terminal.shows("Key: ");
    terminal.type("s3creX\u007ft\r");
    assert.equal(await secret, "s3cret");
    assert.equal(terminal.text, "Key: \n");
  });

  it("is given up by Ctrl-C and Ctrl-D", async () => {
    for (const key of ["\u0003", "\u0004"]) {
      const terminal = new FakeTerminal();
      const secret = readSecret(terminal.io, "Key: ");
      terminal.type(key);
      await assert.rejects(secret, { code: "cancelled" });
    }
  });
});
