import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bubblewrapCommand } from "./bubblewrap.ts";
import type { Mount } from "./view.ts";

const tools = { bwrap: "/usr/bin/bwrap", setpriv: "/usr/bin/setpriv" };
const become = { uid: 0x7000_0001, gid: 0x7000_0002 };
const program = ["/node", "/code/main.ts"];
const command = (mounts: readonly Mount[], user?: typeof become) =>
  bubblewrapCommand({ tools, mounts, become: user, folder: "/w", program }).join(" ");

const cases: [string, Mount, string][] = [
  ["a folder to read", { kind: "read", path: "/a/b" }, "--perms 0755 --dir /a --ro-bind-try /a/b /a/b"],
  ["a file from elsewhere", { kind: "read", path: "/e", from: "/x/e" }, "--ro-bind-try /x/e /e"],
  ["a folder to write", { kind: "write", path: "/w" }, "--bind /w /w"],
  ["a link", { kind: "link", path: "/bin", to: "usr/bin" }, "--symlink usr/bin /bin"],
  [
    "a folder in memory, with a bound",
    { kind: "scratch", path: "/tmp" },
    "--perms 1777 --size 1073741824 --tmpfs /tmp",
  ],
  ["a folder that is hidden", { kind: "hidden", path: "/h" }, "--perms 0755 --tmpfs /h --remount-ro / --remount-ro /h"],
];

describe("the command line of bubblewrap", () => {
  for (const [sentence, mount, expected] of cases) {
    it(`mounts ${sentence}`, () => assert.ok(command([mount]).includes(expected), command([mount])));
  }

  it("makes each parent once, before what lies in it, and never over a mount", () => {
    const line = command([
      { kind: "hidden", path: "/a" },
      { kind: "read", path: "/a/b/c" },
      { kind: "read", path: "/a/b/d" },
    ]);
    assert.equal(line.split("--dir /a/b ").length, 2);
    assert.ok(!line.includes("--dir /a "));
    assert.ok(line.indexOf("--tmpfs /a") < line.indexOf("--dir /a/b"));
  });

  it("for an ordinary user is one bubblewrap, which makes all namespaces and lets no more be made", () => {
    const line = command([]);
    assert.equal(line.split("/usr/bin/bwrap").length, 2);
    for (const flag of ["--unshare-all", "--unshare-user", "--disable-userns", "--new-session", "--die-with-parent"]) {
      assert.ok(line.includes(flag), flag);
    }
    assert.match(line, /--chdir \/w -- \/bin\/sh -c umask 0002; ulimit -c 0; .* \/node \/code\/main\.ts$/);
  });

  it("for root mounts as root, drops all rights, and only then makes the namespaces", () => {
    const line = command([{ kind: "write", path: "/w" }], become);
    const order = ["--bind /w /w", "--reuid 1879048193 --regid 1879048194 --clear-groups", "--unshare-all"];
    const places = order.map((part) => line.indexOf(part));
    assert.ok(places.every((place) => place > 0));
    assert.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
    );
    assert.match(line, /--no-new-privs --bounding-set=-all --inh-caps=-all/);
  });
});
