import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TestClock } from "@copepod/kube/testing/clock";
import { Hosts, type Lookup, resolveEveryMs } from "./hosts.ts";

const turn = () => new Promise(setImmediate);

function rig(lookup: Lookup) {
  const clock = new TestClock();
  const hosts = new Hosts(lookup, clock);
  const changed: string[] = [];
  hosts.source.subscribe((key) => changed.push(key));
  const look = (key = "agents/a", names: readonly string[] = ["x.lan"]) => hosts.addressesOf(key, names);
  return { clock, hosts, changed, look };
}

describe("addresses of hosts", () => {
  it("are waited for by nobody; who asked is told when they are there, or others", async () => {
    const answers = [["10.0.0.2", "10.0.0.1"], ["10.0.0.1", "10.0.0.2"], ["10.0.0.3"]];
    const { clock, changed, look } = rig(async () => answers.shift() ?? assert.fail("asked too often"));
    assert.deepEqual(look(), { addresses: new Map(), unresolved: [] });
    look("agents/b");
    await turn();
    assert.deepEqual(changed, ["agents/a", "agents/b"]);
    assert.deepEqual(look().addresses, new Map([["x.lan", ["10.0.0.1", "10.0.0.2"]]]));
    clock.pass(resolveEveryMs);
    look();
    await turn();
    assert.equal(changed.length, 2, "they are the same, in another order");
    clock.pass(resolveEveryMs);
    look();
    await turn();
    assert.equal(changed.length, 4);
    assert.deepEqual(look().addresses, new Map([["x.lan", ["10.0.0.3"]]]));
  });

  it("stay known while nobody answers, or no more than an error", async () => {
    const answers = [
      async () => ["10.0.0.1"],
      async () => Promise.reject(new Error("SERVFAIL")),
      () => Promise.race([]),
    ];
    const { clock, look } = rig(() => (answers.shift() ?? (async () => ["10.0.0.2"]))());
    look();
    for (const address of ["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"]) {
      await turn();
      clock.pass(resolveEveryMs);
      await turn();
      assert.deepEqual(look().addresses.get("x.lan"), [address]);
    }
  });

  it("are missed of a name that never had one, once that is known", async () => {
    const { changed, look } = rig(async () => []);
    assert.deepEqual(look().unresolved, []);
    await turn();
    assert.deepEqual(changed, ["agents/a"]);
    assert.deepEqual(look(), { addresses: new Map(), unresolved: ["x.lan"] });
  });

  it("are forgotten when nobody asks for them any more", async () => {
    let asked = 0;
    const { hosts, look } = rig(async () => [`10.0.0.${++asked}`]);
    for (const key of ["agents/a", "agents/b"]) look(key);
    await turn();
    hosts.forget("agents/a");
    assert.equal(look("agents/b").addresses.size, 1);
    look("agents/b", ["y.lan"]);
    assert.equal(look("agents/a").addresses.size, 0);
  });
});
