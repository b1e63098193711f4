import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { filterBundle, filterProcess, optionOf } from "./filter.ts";

const process = {
  args: ["/sbin/init"],
  capabilities: { bounding: ["CAP_KILL", "CAP_SYS_RESOURCE"], ambient: ["CAP_SYS_RESOURCE"] },
};
const allowed = { args: ["/sbin/init"], capabilities: { bounding: ["CAP_KILL"], ambient: [] } };

describe("what a container is to be, on a machine without CAP_SYS_RESOURCE", () => {
  it("loses the capability, and nothing else", () => {
    const bundle = { ociVersion: "1.0.2", root: { path: "rootfs" }, process };
    assert.deepEqual(JSON.parse(filterBundle(JSON.stringify(bundle))), { ...bundle, process: allowed });
  });

  it("loses it when a process is started in it later, too", () => {
    assert.deepEqual(JSON.parse(filterProcess(JSON.stringify(process))), allowed);
  });

  it("stays as it is where it does not ask for it", () => {
    const plain = { args: ["sh"], capabilities: { bounding: ["CAP_KILL"] }, user: { uid: 0 } };
    assert.deepEqual(JSON.parse(filterProcess(JSON.stringify(plain))), plain);
    assert.deepEqual(JSON.parse(filterProcess('{"args":["sh"]}')), { args: ["sh"] });
    assert.deepEqual(JSON.parse(filterBundle('{"hostname":"a"}')), { hostname: "a" });
  });

  it("refuses what is none", () => {
    assert.throws(() => filterBundle('{"process":{"capabilities":"all"}}'));
  });
});

describe("a call of runc", () => {
  const create = "--root /r --log-format json create --bundle /b --pid-file /p id".split(" ");
  const exec = "--root /r exec --process /tmp/p --detach id".split(" ");

  it("says which bundle a container is made of, and which file a process is made of", () => {
    assert.deepEqual([optionOf(create, "--bundle"), optionOf(create, "--process")], ["/b", undefined]);
    assert.deepEqual([optionOf(exec, "--bundle"), optionOf(exec, "--process")], [undefined, "/tmp/p"]);
  });
});
