import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ObjectMeta, Resource } from "../object.ts";
import { controllingOwner, ownerKey, ownKey } from "./owners.ts";
import { isMoreThanStatus, type SourceOptions, sourceOf } from "./sources.ts";
import { HandCache, makeObject } from "./testing/objects.ts";

const things: Resource = { group: "example.dev", version: "v1", kind: "Thing", plural: "things", namespaced: true };
const ownedBy = (name: string): ObjectMeta => ({ ownerReferences: [controllingOwner(things, makeObject(name))] });

function follow(options: SourceOptions<ReturnType<typeof makeObject>>) {
  const cache = new HandCache();
  const source = sourceOf(cache.store, options);
  const added: string[] = [];
  const end = source.subscribe((key) => added.push(key));
  return { cache, source, added, end };
}

describe("a source of keys", () => {
  it("gives the keys of new, changed and deleted objects, until it is ended", () => {
    const { cache, source, added, end } = follow({ keysOf: ownKey });
    cache.sync(makeObject("a"));
    cache.put(makeObject("a", { generation: 2 }));
    cache.put(makeObject("b"));
    cache.remove("a");
    assert.deepEqual([...new Set(added)], ["ns/a", "ns/b"]);
    assert.equal(added.at(-1), "ns/a");
    assert.deepEqual([...source.keys()], ["ns/b"]);
    end();
    cache.put(makeObject("c"));
    assert.equal(added.includes("ns/c"), false);
  });

  it("gives the owner of a child, also the old one of a child that changed hands", () => {
    const { cache, source, added } = follow({ keysOf: ownerKey(things) });
    cache.put(makeObject("child", ownedBy("first")));
    assert.deepEqual(added.splice(0), ["ns/first"]);
    cache.put(makeObject("child", ownedBy("second")));
    assert.deepEqual(added.splice(0), ["ns/first", "ns/second"]);
    assert.deepEqual([...source.keys()], ["ns/second"]);
    cache.remove("child");
    assert.deepEqual(added.splice(0), ["ns/second"]);
  });

  it("passes over changes that nobody asked for, but never over new, deleted and dying objects", () => {
    const { cache, added } = follow({ keysOf: ownKey, when: isMoreThanStatus });
    cache.put(makeObject("a", { generation: 1 }));
    cache.put(makeObject("a", { generation: 1 }, { status: { phase: "Ready" } }));
    assert.deepEqual(added.splice(0), ["ns/a"]);
    const looked: ObjectMeta[] = [
      { generation: 2 },
      { generation: 2, labels: { a: "b" } },
      { generation: 2, labels: { a: "b" }, annotations: { c: "d" } },
      { generation: 2, labels: { a: "b" }, annotations: { c: "d" }, finalizers: ["example.dev/f"] },
      { generation: 2, deletionTimestamp: "2030-01-01T00:00:00Z" },
      { generation: 2, deletionTimestamp: "2030-01-01T00:00:00Z" },
    ];
    for (const metadata of looked) {
      cache.put(makeObject("a", metadata));
      assert.ok(added.splice(0).includes("ns/a"), JSON.stringify(metadata));
    }
    cache.remove("a");
    assert.deepEqual(added.splice(0), ["ns/a"]);
  });

  it("looks at every change of what has no generation", () => {
    assert.ok(isMoreThanStatus(makeObject("a"), makeObject("a", {}, { data: { b: "c" } })));
  });
});
