import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CacheChange } from "./cache.ts";
import { Store } from "./store.ts";

interface Pod {
  readonly node: string;
  readonly owners?: readonly string[];
}

describe("a store", () => {
  it("finds objects by their key and by what each index says of them", () => {
    const { store, put } = make();
    put("default/a", { node: "n1", owners: ["s1", "s2"] });
    put("default/b", { node: "n1" });
    put("default/c", { node: "n2", owners: ["s1"] });
    assert.deepEqual(store.get("default/b"), { node: "n1" });
    assert.deepEqual(found(store, "node", "n1"), ["default/a", "default/b"]);
    assert.deepEqual(found(store, "owner", "s1"), ["default/a", "default/c"]);
    assert.deepEqual(found(store, "owner", "s2"), ["default/a"]);
    assert.deepEqual(store.byIndex("node", "n3"), []);
    assert.equal(store.size, 3);
  });

  it("moves an object in its indexes when its values change, and takes it out when it goes", () => {
    const { store, put } = make();
    put("default/a", { node: "n1", owners: ["s1", "s2"] });
    put("default/b", { node: "n1", owners: ["s1"] });
    put("default/a", { node: "n2", owners: ["s2", "s3"] });
    assert.deepEqual(found(store, "node", "n1"), ["default/b"]);
    assert.deepEqual(found(store, "node", "n2"), ["default/a"]);
    assert.deepEqual(found(store, "owner", "s1"), ["default/b"]);
    assert.deepEqual(found(store, "owner", "s3"), ["default/a"]);
    store.delete("default/a");
    assert.deepEqual(store.byIndex("node", "n2"), []);
    assert.deepEqual(store.byIndex("owner", "s2"), []);
    assert.deepEqual(found(store, "owner", "s1"), ["default/b"]);
  });

  it("counts a value once that an index function gives twice", () => {
    const { store, put } = make();
    put("default/a", { node: "n1", owners: ["s1", "s1"] });
    assert.equal(store.byIndex("owner", "s1").length, 1);
    store.delete("default/a");
    assert.deepEqual(store.byIndex("owner", "s1"), []);
  });

  it("refuses an index that nobody declared", () => {
    assert.throws(() => make().store.byIndex("zone", "z1"), /no index "zone"/);
  });

  it("takes over a list in one step: no listener sees a part of it", () => {
    const { store, put, stage } = make();
    put("default/gone", { node: "n1" });
    put("default/same", { node: "n1" });
    put("default/other", { node: "n1" });
    const seen: unknown[] = [];
    store.subscribe((key, { before, after }) => {
      seen.push([key, before?.node, after?.node]);
      assert.deepEqual([...store.values()].map(({ node }) => node).sort(), ["n1", "n2", "n3"]);
      assert.deepEqual(found(store, "node", "n1"), ["default/same"]);
    });
    const listed = new Set(["default/same", "default/other", "default/new"]);
    store.replace(listed, [stage("default/other", { node: "n2" }), stage("default/new", { node: "n3" })]);
    assert.deepEqual(seen, [
      ["default/gone", "n1", undefined],
      ["default/other", "n1", "n2"],
      ["default/new", undefined, "n3"],
    ]);
  });

  it("may change while somebody goes through it", () => {
    const { store, put } = make();
    for (const name of ["a", "b", "c"]) put(`default/${name}`, { node: name });
    const seen: string[] = [];
    for (const { node } of store.values()) {
      seen.push(node);
      store.delete("default/b");
      store.delete(`default/${node}`);
    }
    assert.deepEqual(seen, ["a", "c"]);
    const bucket = store.byIndex("node", "a");
    put("default/d", { node: "a" });
    assert.deepEqual(bucket, []);
  });

  it("tells all listeners of each change, whatever one of them throws", () => {
    const { store, put, errors } = make();
    const changes: CacheChange<Pod>[] = [];
    store.subscribe(() => {
      throw new Error("handler");
    });
    const end = store.subscribe((_key, change) => changes.push(change));
    put("default/a", { node: "n1" });
    store.delete("default/a");
    store.delete("default/a");
    end();
    put("default/b", { node: "n1" });
    assert.deepEqual(changes, [
      { before: undefined, after: { node: "n1" } },
      { before: { node: "n1" }, after: undefined },
    ]);
    assert.equal(errors.length, 3);
  });

  it("tells of an async listener that rejects as of one that throws", async () => {
    const { store, errors, put } = make();
    const error = new Error("late");
    const listener = (): unknown => Promise.reject(error);
    store.subscribe(listener);
    put("default/a", { node: "n1" });
    await new Promise(setImmediate);
    assert.deepEqual(errors, [error]);
  });

  it("finds thousands of objects under one value, and each of them when it moves", () => {
    const { store, put } = make();
    for (let n = 0; n < 1_000; n++) put(`default/${n}`, { node: "n1" });
    for (let n = 0; n < 1_000; n += 2) put(`default/${n}`, { node: "n2" });
    assert.deepEqual([store.byIndex("node", "n1").length, store.byIndex("node", "n2").length], [500, 500]);
    store.replace(new Set(), []);
    assert.deepEqual([store.byIndex("node", "n1"), store.byIndex("node", "n2")], [[], []]);
  });

  it("is synced with the first list, even an empty one, and listeners come before those who wait", async () => {
    const { store, stage } = make();
    const order: string[] = [];
    store.subscribe((key) => order.push(key));
    const waited = store.whenSynced().then(() => order.push("synced"));
    assert.equal(store.synced, false);
    store.replace(new Set(["default/a"]), [stage("default/a", { node: "n1" })]);
    assert.equal(store.synced, true);
    await waited;
    assert.deepEqual(order, ["default/a", "synced"]);
    const { store: empty } = make();
    empty.replace(new Set(), []);
    await empty.whenSynced(AbortSignal.timeout(1_000));
  });

  it("lets nobody wait for ever: the caller's signal and the end of the reflector reject", async () => {
    const { store } = make();
    const giveUp = new AbortController();
    const impatient = store.whenSynced(giveUp.signal);
    giveUp.abort(new Error("too late"));
    await assert.rejects(impatient, /too late/);
    await assert.rejects(store.whenSynced(giveUp.signal), /too late/);
    const patient = store.whenSynced();
    store.end(new Error("stopped"));
    await assert.rejects(patient, /stopped/);
  });

  it("is unchanged when an index function throws", () => {
    const store = new Store<Pod>({
      indexes: {
        node: ({ node }) => {
          if (node === "bad") throw new Error("no such node");
          return [node];
        },
      },
      onListenerError: () => assert.fail(),
    });
    store.put(store.stage("default/a", "1", { node: "n1" }));
    assert.throws(() => store.stage("default/a", "2", { node: "bad" }), /no such node/);
    assert.deepEqual(store.byIndex("node", "n1"), [{ node: "n1" }]);
    assert.equal(store.resourceVersion("default/a"), "1");
  });
});

function make() {
  const errors: unknown[] = [];
  const store = new Store<Pod>({
    indexes: { node: ({ node }) => [node], owner: ({ owners = [] }) => owners },
    onListenerError: (error) => errors.push(error),
  });
  const stage = (key: string, pod: Pod) => store.stage(key, undefined, pod);
  return { store, errors, stage, put: (key: string, pod: Pod) => store.put(stage(key, pod)) };
}

/** Keys of what the index has, in alphabetical order. */
function found(store: Store<Pod>, index: string, value: string): string[] {
  const keys = ["a", "b", "c", "same", "other", "new"].map((name) => `default/${name}`);
  const pods = store.byIndex(index, value);
  const names = keys.filter((key) => {
    const pod = store.get(key);
    return pod !== undefined && pods.includes(pod);
  });
  assert.equal(names.length, pods.length);
  return names;
}
