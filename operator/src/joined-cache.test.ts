import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Store } from "@copepod/kube/cache/store";
import { JoinedCache } from "./joined-cache.ts";

const storeOf = () =>
  new Store<string>({ indexes: { first: (text) => [text.charAt(0)] }, onListenerError: () => assert.fail() });

function make() {
  const [a, b] = [storeOf(), storeOf()];
  const put = (store: Store<string>, key: string, text: string) => store.put(store.stage(key, text, text));
  return {
    a,
    b,
    put,
    joined: new JoinedCache(
      new Map([
        ["a", a],
        ["b", b],
      ]),
    ),
  };
}

describe("a cache of several namespaces", () => {
  it("has what each of them has, and nothing of others", () => {
    const { a, b, put, joined } = make();
    put(a, "a/x", "one");
    put(b, "b/x", "other");
    assert.deepEqual([joined.get("a/x"), joined.get("b/x"), joined.get("c/x")], ["one", "other", undefined]);
    assert.deepEqual([...joined.values()], ["one", "other"]);
    assert.deepEqual(joined.byIndex("first", "o"), ["one", "other"]);
    assert.equal(joined.size, 2);
  });

  it("is complete when all of them are", async () => {
    const { a, b, joined } = make();
    a.replace(new Set(), []);
    assert.equal(joined.synced, false);
    b.replace(new Set(), []);
    assert.equal(joined.synced, true);
    await joined.whenSynced();
  });

  it("tells of changes in any of them until nobody listens", () => {
    const { a, b, put, joined } = make();
    const told: string[] = [];
    const end = joined.subscribe((key) => void told.push(key));
    put(a, "a/x", "1");
    put(b, "b/y", "1");
    end();
    put(b, "b/z", "1");
    assert.deepEqual(told, ["a/x", "b/y"]);
  });
});
