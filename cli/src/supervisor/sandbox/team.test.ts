import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempDisposable, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { homeLayout, runLayout } from "../../home/layout.ts";
import { pairFolders } from "../commands.ts";
import { chooseSandbox, probeBubblewrap } from "./choose-sandbox.ts";
import { machinePlaces } from "./machine-places.ts";

const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const probe = await probeBubblewrap(own.uid);
const skip = probe.works ? false : `no sandbox here: bubblewrap: ${probe.reason}`;

/** Agent groups in their sandboxes, of one home. */
async function home(parent: string) {
  const places = { home: homeLayout(join(parent, "h")), run: runLayout(join(parent, "r")), harnessesDir: "/none" };
  const machine = machinePlaces(places.home, places.run, places.harnessesDir);
  const sandbox = await chooseSandbox("bubblewrap", { image: "", env: {} }, { own, machine });
  return {
    team: places.home.workspaces,
    /** Runs a shell command as the session of a group. Rejects when it fails. */
    async run(group: string, team: Parameters<typeof pairFolders>[1]["team"], command: string): Promise<string> {
      const names = { group, session: `${group}-1`, short: group, ...(team ? { team } : {}) };
      const folders = pairFolders({ ...places, logLevel: "info" }, names);
      const session = { session: `default/${group}-1`, group: `default/${group}`, folders };
      sandbox.prepare(session);
      const { argv, env } = sandbox.command(session, { script: "", env: {} });
      const [program = "", ...args] = [...argv.slice(0, -2), "/bin/sh", "-c", command];
      return (await promisify(execFile)(program, args, { env, timeout: 20_000 })).stdout;
    },
  };
}

describe("a workspace that agent groups share on one machine", { skip, timeout: 60_000 }, () => {
  it("is one folder for all of them, where each may change what another has written", async () => {
    await using parent = await mkdtempDisposable(join(await realpath(tmpdir()), "cpt-"));
    const { team, run } = await home(parent.path);
    const docs = [{ name: "docs", readOnly: false }];
    await run("one", docs, `mkdir ${team}/docs/plans && echo first > ${team}/docs/plans/a`);
    await run("two", docs, `echo second >> ${team}/docs/plans/a && echo own > ${team}/docs/plans/b`);
    assert.equal(await run("one", docs, `rm ${team}/docs/plans/b; cat ${team}/docs/plans/*`), "first\nsecond\n");
  });

  it("can't be changed by a group that may only read it, nor be seen by one that does not name it", async () => {
    await using parent = await mkdtempDisposable(join(await realpath(tmpdir()), "cpt-"));
    const { team, run } = await home(parent.path);
    await run("one", [{ name: "docs", readOnly: false }], `echo first > ${team}/docs/a`);
    const reader = [
      { name: "docs", readOnly: true },
      { name: "board", readOnly: false },
    ];
    assert.equal(await run("two", reader, `cat ${team}/docs/a; ls ${team}`), "first\nboard\ndocs\n");
    await assert.rejects(run("two", reader, `echo second > ${team}/docs/a`), /Read-only file system/);
    assert.equal(await run("three", undefined, `ls -A ${parent.path}/h; ls ${team} 2>&1 || true`).then(hidden), true);
  });
});

/** Whether nothing but the group's own volume is there. */
const hidden = (listing: string): boolean => !listing.includes("docs") && /^volumes\n/m.test(listing);
