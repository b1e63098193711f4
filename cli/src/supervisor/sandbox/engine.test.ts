import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Container, engineCommand } from "./engine.ts";

const container: Container = {
  engine: "podman",
  image: "image:1",
  name: "copepod-x-s",
  mounts: [
    { kind: "read", path: "/code" },
    { kind: "read", path: "/etc/passwd", from: "/run/p/passwd" },
    { kind: "write", path: "/w" },
    { kind: "scratch", path: "/tmp" },
    { kind: "hidden", path: "/home" },
  ],
  user: { uid: 5, gid: 6 },
  isRoot: true,
  env: ["COPEPOD_PLACEHOLDER", "HOME=/w/home"],
  folder: "/w",
  program: ["/node", "/code/main.ts"],
};
const line = (changes: Partial<Container> = {}) => engineCommand({ ...container, ...changes }).join(" ");

describe("the command line of a container engine", () => {
  for (const part of [
    "run --rm --interactive --init --name copepod-x-s --pull never --network none",
    "--user 5:6",
    "--cap-drop ALL --security-opt no-new-privileges",
    "--read-only --shm-size",
    "--tmpfs /tmp:rw,exec,mode=1777,size=",
    "--tmpfs /home:mode=0755",
    "--mount type=bind,source=/code,target=/code,readonly",
    "--mount type=bind,source=/run/p/passwd,target=/etc/passwd,readonly",
    "--mount type=bind,source=/w,target=/w --tmpfs /tmp:",
    "--env COPEPOD_PLACEHOLDER --env HOME=/w/home",
    "--workdir /w image:1 /node /code/main.ts",
  ]) {
    it(`has ${part}`, () => assert.ok(line().includes(part), line()));
  }

  it("first removes what is left of the session's last container", () => {
    assert.match(line(), /^\/bin\/sh -c "\$0" rm --force "\$1" .*; exec "\$0" "\$@" podman copepod-x-s run /);
  });

  it("keeps ids as they are for an ordinary user of podman", () => {
    assert.ok(line({ isRoot: false }).includes("--userns keep-id"));
    for (const changes of [{}, { isRoot: false, engine: "docker" } as const])
      assert.ok(!line(changes).includes("--userns"));
  });
});
