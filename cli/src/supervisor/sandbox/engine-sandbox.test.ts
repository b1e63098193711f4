import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { homeLayout, runLayout } from "../../home/layout.ts";
import { pairFolders } from "../commands.ts";
import { engineSandbox } from "./engine-sandbox.ts";
import { viewOf } from "./sandbox.ts";
import type { Mount } from "./view.ts";

const own = { uid: 1000, gid: 1000 };
const home = homeLayout("/h");
const folders = pairFolders(
  { home, run: runLayout("/run/x"), harnessesDir: "/harnesses", logLevel: "info" },
  { group: "g", session: "g-1", short: "1" },
);
const session = { session: "default/g-1", group: "default/g", folders };
const system: Mount[] = [
  { kind: "read", path: "/usr" },
  { kind: "link", path: "/bin", to: "usr/bin" },
  { kind: "scratch", path: "/tmp" },
];
const machine = {
  name: "m",
  system,
  readable: [import.meta.dirname],
  hidden: ["/h", "/run/x"],
  runnerCache: home.runnerCache,
};

describe("a session in a container", () => {
  it("sees what it would see in bubblewrap, but the programs of the image", () => {
    const sandbox = engineSandbox({ engine: "docker", image: "i", env: {} }, { own, machine });
    const { argv } = sandbox.command(session, { script: "/main.ts", env: {} });
    const shown = viewOf({ own, machine }, session, own).filter(({ kind, path }) => kind !== "link" && path !== "/usr");
    const named = argv
      .filter((argument) => /^(type=bind|\/.*mode=)/.test(argument))
      .map((argument) => /(?<=target=)[^,]+|^\/[^:]+/.exec(argument)?.[0]);
    assert.deepEqual(
      named,
      shown.map(({ path }) => path),
    );
    for (const path of [import.meta.dirname, "/tmp", "/h", "/etc/passwd", folders.workspace, folders.shared]) {
      assert.ok(named.includes(path), path);
    }
  });
});
