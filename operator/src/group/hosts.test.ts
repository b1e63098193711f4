import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TestClock } from "@copepod/kube/testing/clock";
import { Hosts, resolveEveryMs } from "./hosts.ts";

const never = new AbortController().signal;

describe("addresses of hosts", () => {
  it("are asked for once in an interval, and come in one order", async () => {
    const clock = new TestClock();
    let asked = 0;
    const hosts = new Hosts(async () => {
      asked += 1;
      return asked % 2 === 0 ? ["10.0.0.1", "10.0.0.2"] : ["10.0.0.2", "10.0.0.1"];
    }, clock);
    const first = await hosts.addressesOf(["x.lan"], never);
    assert.deepEqual([...first], [["x.lan", ["10.0.0.1", "10.0.0.2"]]]);
    await hosts.addressesOf(["x.lan"], never);
    assert.equal(asked, 1);
    clock.pass(resolveEveryMs);
    assert.deepEqual(await hosts.addressesOf(["x.lan"], never), first);
    assert.equal(asked, 2);
  });

  it("stay known while nobody answers, or no more than an error", async () => {
    const clock = new TestClock();
    const answers = [
      async () => ["10.0.0.1"],
      async () => Promise.reject(new Error("SERVFAIL")),
      () => Promise.race([]),
    ];
    const hosts = new Hosts((_) => (answers.shift() ?? assert.fail("asked too often"))(), clock);
    for (let round = 0; round < 3; round++) {
      const found = hosts.addressesOf(["x.lan"], never);
      await new Promise(setImmediate);
      clock.pass(resolveEveryMs);
      assert.deepEqual((await found).get("x.lan"), ["10.0.0.1"]);
    }
  });

  it("leaves out a name that never had one", async () => {
    const hosts = new Hosts(async () => [], new TestClock());
    assert.equal((await hosts.addressesOf(["x.lan"], never)).size, 0);
  });
});
