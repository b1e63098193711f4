import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { firstId, identityOf } from "./identity.ts";
import { etcTexts, sessionView } from "./view.ts";

const machine = {
  name: "m",
  system: [{ kind: "read", path: "/usr" } as const],
  readable: ["/repository/agent-image"],
  hidden: ["/repository/.home", "/run/x"],
  runnerCache: "/repository/.home/cache/runner",
};
const own = "/repository/.home/volumes/g";
const session = {
  workspace: `${own}/sessions/s`,
  agentDir: `${own}/agent`,
  shared: "/run/x/s/1/p",
  etc: "/run/x/s/1/p/etc",
  team: [
    { path: "/repository/.home/workspaces/docs", readOnly: true },
    { path: "/repository/.home/workspaces/board", readOnly: false },
  ],
};
const alone = { team: [] };

describe("what a session sees", () => {
  const view = sessionView(machine, session);

  it("is the system, the code, what it shares with its proxy, and to write only what is its own, its group's or shared", () => {
    const readable = ["/usr", "/repository/agent-image", "/run/x/s/1/p", "/repository/.home/workspaces/docs"];
    const read = view.filter(({ kind, path }) => kind === "read" && !path.startsWith("/etc/")).map(({ path }) => path);
    assert.deepEqual(read.toSorted(), readable.toSorted());
    const written = view.filter(({ kind }) => kind === "write").map(({ path }) => path);
    assert.deepEqual(
      written.toSorted(),
      [session.agentDir, session.workspace, "/repository/.home/workspaces/board"].toSorted(),
    );
  });

  it("names parents before children, so that the home is hidden also where it lies in what may be read", () => {
    const paths = view.map(({ path }) => path);
    for (const [index, path] of paths.entries()) {
      assert.ok(!paths.slice(index + 1).some((later) => path.startsWith(`${later}/`)), path);
    }
  });

  it("has an /etc that knows the session's user first", () => {
    const { passwd, group } = etcTexts({ uid: 65_534, gid: 7 }, "/w/home");
    assert.match(passwd, /^agent:x:65534:7:agent:\/w\/home:\/bin\/sh\n/);
    assert.match(group, /^agent:x:7:\n/);
  });
});

describe("who a session is", () => {
  const one = identityOf({ session: "default/a-1", group: "default/a", folders: alone });

  it("is the same at each wake, and within the ids that belong to nobody", () => {
    assert.deepEqual(identityOf({ session: "default/a-1", group: "default/a", folders: alone }), one);
    for (const id of [one.uid, one.gid]) assert.ok(id >= firstId && id < 2 ** 31);
  });

  it("is in a group of each workspace, which others are in too", () => {
    const folders = { team: [{ name: "docs" }, { name: "board" }] };
    const { groups } = identityOf({ session: "default/a-1", group: "default/a", folders });
    assert.equal(new Set(groups).size, 2);
    assert.deepEqual(identityOf({ session: "default/b-1", group: "default/b", folders }).groups, groups);
  });

  it("shares the group, and not the user, with other sessions of its agent group", () => {
    const other = identityOf({ session: "default/a-2", group: "default/a", folders: alone });
    assert.equal(other.gid, one.gid);
    assert.notEqual(other.uid, one.uid);
    assert.notEqual(identityOf({ session: "default/a-1", group: "default/b", folders: alone }).gid, one.gid);
  });
});
