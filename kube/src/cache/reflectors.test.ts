import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KubeObject } from "../object.ts";
import { TestClock } from "../testing/clock.ts";
import { Reflectors } from "./reflectors.ts";
import { TestServer, unavailable, widgets } from "./testing/server.ts";

const gadgets = { ...widgets, kind: "Gadget", plural: "gadgets" };

describe("the reflectors of a program", () => {
  it("are synced when all are, and end together", async () => {
    const { reflectors, server, run } = make();
    server.put("a", { spec: "x" });
    const names = reflectors.declare({ resource: widgets, transform: ({ metadata }) => metadata.name ?? "" });
    const specs = reflectors.declare({
      resource: gadgets,
      transform: ({ spec }) => String(spec),
      indexes: { spec: (spec) => [spec] },
    });
    assert.match(reflectors.problem() ?? "", /widgets/);
    await using _running = run();
    await reflectors.whenSynced();
    assert.deepEqual([...names.values()], ["a"]);
    assert.deepEqual(specs.byIndex("spec", "x"), ["x"]);
    assert.equal(reflectors.problem(), undefined);
  });

  it("say which of them is not synced, and give up waiting with the reason of the end", async () => {
    const { reflectors, server, run } = make();
    server.failures.push(unavailable());
    reflectors.declare({ resource: widgets, transform: (object) => object });
    const other = reflectors.declare({ resource: gadgets, transform: (object) => object });
    const running = run();
    await other.whenSynced();
    assert.equal(reflectors.problem(), "the first list of widgets.example.com is not complete: not now");
    const waiting = assert.rejects(reflectors.whenSynced(), /stopped/);
    await running[Symbol.asyncDispose]();
    await waiting;
  });
});

describe("reflectors of one kind", () => {
  it("need names by which one can tell them apart", () => {
    const { reflectors } = make();
    const settings = { resource: widgets, transform: (object: KubeObject) => object };
    reflectors.declare({ ...settings, namespace: "a" });
    assert.throws(
      () => reflectors.declare({ ...settings, namespace: "b" }),
      /two caches are named widgets.example.com/,
    );
    reflectors.declare({ ...settings, namespace: "b", name: "widgets-of-b" });
  });
});

function make() {
  const server = new TestServer();
  const log = { debug: () => undefined, info: () => undefined, warn: () => undefined };
  const reflectors = new Reflectors({ client: server, clock: new TestClock(), random: () => 0.5, log });
  const run = (): AsyncDisposable => {
    const stop = new AbortController();
    const running = reflectors.run(stop.signal);
    return {
      [Symbol.asyncDispose]: async () => {
        stop.abort(new Error("stopped"));
        await running;
      },
    };
  };
  return { server, reflectors, run };
}
