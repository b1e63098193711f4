import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { harnessFolder } from "@copepod/agent-image/harnesses/harness";
import { processIdentity } from "../supervisor/orphans.ts";
import { type InstallOptions, installHarness } from "./install.ts";
import { childrenOf, listInstallations, removeInstallations } from "./installed.ts";

/** How often a condition is looked at. */
const probeMs = 10;
const program = join("node_modules", "@anthropic-ai", "claude-agent-sdk-test", "claude");
const installs = `mkdir -p ${dirname(program)}; printf '#!/bin/sh\\necho 1.0\\n' > ${program}; chmod +x ${program}`;
const main = join(import.meta.dirname, "..", "main.ts");

/** Folders, and an npm that runs a script: the real one would need a registry. */
async function setUp(script: string) {
  const folder = await mkdtemp(join(tmpdir(), "copepod-install-"));
  const bin = join(folder, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "npm"), `#!/bin/sh\necho $$ "$@" >> ${folder}/calls\n${script}\n`, { mode: 0o755 });
  const harnessesDir = join(folder, "cache", "harnesses");
  const said: string[] = [];
  const calls = async () => (await readFile(join(folder, "calls"), "utf8").catch(() => "")).split("\n").filter(Boolean);
  const options: InstallOptions = {
    harnessesDir,
    env: { PATH: `${bin}:/usr/bin:/bin` },
    say: (line) => said.push(line),
    signal: new AbortController().signal,
  };
  return {
    ...{ folder, harnessesDir, options, said, path: harnessFolder(harnessesDir, "claude") },
    entries: () => readdir(harnessesDir).catch(() => []),
    calls,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

describe("the installation of a harness", () => {
  it("appears when it is whole, by the lock file, and is left as it is then", async () => {
    await using place = await setUp(`[ -f package-lock.json ] && [ "$1" = ci ] && ${installs}`);
    assert.deepEqual(await installHarness("claude", place.options), { path: place.path, isNew: true });
    assert.deepEqual(await installHarness("claude", place.options), { path: place.path, isNew: false });
    assert.deepEqual(await place.entries(), [basename(place.path)]);
    const [call, ...more] = await place.calls();
    assert.match(call ?? "", /^\d+ ci --ignore-scripts --omit=dev /);
    assert.deepEqual(more, []);
  });

  it("may be done by two at once: one of them wins, and nothing is left of the other", async () => {
    await using place = await setUp(installs);
    const both = await Promise.all([1, 2].map(() => installHarness("claude", place.options)));
    assert.deepEqual(both.map(({ isNew }) => isNew).sort(), [false, true]);
    assert.deepEqual(await place.entries(), [basename(place.path)]);
  });

  it("tells the last lines of an npm that fails, and leaves nothing", async () => {
    await using place = await setUp("echo 'npm error the registry is gone' >&2; exit 1");
    await assert.rejects(installHarness("claude", place.options), {
      code: "installFailed",
      message: /could not install claude:\n {2}npm error the registry is gone/,
    });
    assert.deepEqual(await place.entries(), []);
  });

  it("says so when there is no npm, no program for the platform, or one that does not run", async () => {
    await using place = await setUp("true");
    await assert.rejects(installHarness("claude", place.options), { message: /no program for/ });
    const env = { PATH: "" };
    await assert.rejects(installHarness("claude", { ...place.options, env }), { message: /there is no npm/ });
    await using broken = await setUp(`${installs}; printf '#!/bin/sh\\necho no libc; exit 1' > ${program}`);
    await assert.rejects(installHarness("claude", broken.options), { message: /does not run here:\n {2}no libc/ });
    assert.deepEqual([...(await place.entries()), ...(await broken.entries())], []);
  });

  it("says which folder can't be written", async () => {
    await using place = await setUp(installs);
    const harnessesDir = join(place.folder, "bin", "npm", "harnesses");
    await assert.rejects(installHarness("claude", { ...place.options, harnessesDir }), {
      code: "installFailed",
      message: /npm\/harnesses can't be written \(EEXIST\)/,
      cure: /^Set COPEPOD_HARNESSES_DIR/,
    });
  });

  it("says how far it is while it goes on", async () => {
    await using place = await setUp(`sleep 2.5; ${installs}`);
    await installHarness("claude", place.options);
    assert.match(place.said.join("\n"), /^claude: 0 MB on disk, 2 s$/);
  });

  it("leaves nothing when it is interrupted, and exits as such", async () => {
    await using place = await setUp("exec sleep 50");
    const child = startCli(place);
    await untilStarted(place, 1);
    child.kill("SIGINT");
    const [[code], said] = await Promise.all([once(child, "exit"), text(child.stderr)]);
    assert.equal(code, 130);
    assert.match(said, /was stopped; nothing of it stays/);
    assert.deepEqual(await place.entries(), []);
  });

  it("ends soon although npm does not want to, and with all that npm has started", async () => {
    await using place = await setUp(
      `trap '' TERM INT HUP; sh -c 'trap "" TERM; echo $$ "child of npm" >> "$0"; sleep 50; sleep 50' ${"$0"}.calls`,
    );
    const child = startCli(place);
    await untilStarted(place, 1);
    const startedAt = performance.now();
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    assert.equal(code, 130);
    assert.ok(performance.now() - startedAt < 10_000);
    const grandchild = Number.parseInt(await readFile(join(place.folder, "bin", "npm.calls"), "utf8"), 10);
    assert.equal(processIdentity(grandchild), undefined);
    assert.deepEqual(await place.entries(), []);
  });

  it("ends the npm that one that was killed has left, and says so", async () => {
    await using place = await setUp(
      `[ -f ${"$0"}.again ] && ${"{"} ${installs}; exit; ${"}"}; touch ${"$0"}.again; exec sleep 50`,
    );
    const killed = startCli(place);
    await untilStarted(place, 1);
    const [orphan = ""] = await place.calls();
    const [temporary = ""] = await place.entries();
    while ((await readdir(childrenOf(join(place.harnessesDir, temporary))).catch(() => [])).length === 0)
      await delay(probeMs);
    killed.kill("SIGKILL");
    await once(killed, "exit");
    assert.equal((await installHarness("claude", place.options)).isNew, true);
    assert.match(place.said.join("\n"), /^claude: ended an npm that a killed installation had left/);
    assert.equal(processIdentity(Number.parseInt(orphan, 10)), undefined);
    assert.deepEqual(await place.entries(), [basename(place.path)]);
    assert.ok(!(await readdir(place.path)).includes(".children"));
  });

  it("removes what one that was killed has left, and not what another one still makes", async () => {
    await using place = await setUp("exec sleep 50");
    const killed = startCli(place);
    await untilStarted(place, 1);
    const alive = startCli(place);
    await untilStarted(place, 2);
    killed.kill("SIGKILL");
    await once(killed, "exit");
    await removeInstallations(place.harnessesDir, "claude");
    assert.equal((await place.entries()).length, 1);
    alive.kill("SIGINT");
    await once(alive, "exit");
    assert.deepEqual(await place.entries(), []);
  });

  it("is listed with its version, and beside it those of other versions of Copepod; all are removed together", async () => {
    await using place = await setUp(installs);
    await installHarness("claude", place.options);
    await mkdir(join(place.harnessesDir, "claude-0123456789ab"));
    const [current, other] = await listInstallations(place.harnessesDir, "claude");
    assert.deepEqual([current?.current, current?.installed, other?.current], [true, true, false]);
    assert.match(current?.version ?? "", /^\d+\.\d+\.\d+$/);
    assert.ok((current?.bytes ?? 0) > 0);
    assert.equal((await removeInstallations(place.harnessesDir, "claude")).length, 2);
    assert.deepEqual(await place.entries(), []);
    const [absent, ...others] = await listInstallations(place.harnessesDir, "claude");
    assert.deepEqual([absent?.installed, absent?.bytes, others], [false, 0, []]);
  });
});

function startCli({ harnessesDir, options }: { readonly harnessesDir: string; readonly options: InstallOptions }) {
  const env = { ...options.env, COPEPOD_HARNESSES_DIR: harnessesDir };
  return spawn(process.execPath, [main, "provider", "add", "claude"], { env, stdio: ["ignore", "ignore", "pipe"] });
}

/** Waits until npm was started so often. */
async function untilStarted({ calls }: Awaited<ReturnType<typeof setUp>>, times: number): Promise<void> {
  while ((await calls()).length < times) await delay(probeMs);
}
