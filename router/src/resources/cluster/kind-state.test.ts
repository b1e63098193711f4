import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KindState } from "./kind-state.ts";
import { seenOf } from "./seen.ts";

const key = "agents/helper";

interface Group {
  readonly uid?: string;
  readonly name?: string;
  readonly spec?: object;
  readonly status?: object;
  readonly metadata?: object;
}

/** As the API server gives it, with all that nobody here decides. */
const group = ({ uid = "1", name = "helper", spec = {}, status, metadata }: Group = {}) =>
  seenOf({
    apiVersion: "copepod.dev/v1alpha1",
    kind: "AgentGroup",
    metadata: { name, namespace: "agents", uid, resourceVersion: "7", generation: 3, finalizers: ["x/y"], ...metadata },
    spec,
    ...(status && { status }),
  });

const bad = { session: { idleAfter: "soon" } };

function start() {
  const state = new KindState("AgentGroup");
  const idleAfter = () => state.snapshot().get(key)?.spec.session.idleAfter;
  return { state, idleAfter };
}

describe("what counts of a kind", () => {
  it("is what people decided, with the defaults; a status alone changes nothing", () => {
    const { state } = start();
    assert.equal(state.take(key, group()), true);
    const before = state.snapshot();
    assert.equal(state.take(key, group({ status: { sessions: 3 } })), false);
    assert.equal(state.take(key, group({ metadata: { annotations: { "applied-at": "noon" } } })), false);
    assert.equal(state.snapshot(), before);
    assert.equal(before.get(key)?.spec.session.maxRunning, 10);
  });

  it("changes for the one object that changed", () => {
    const { state, idleAfter } = start();
    state.take(key, group());
    state.take("agents/second", group({ name: "second" }));
    const second = state.snapshot().get("agents/second");
    state.take("agents/second", group({ name: "second", status: { sessions: 3 } }));
    assert.equal(state.take(key, group({ spec: { session: { idleAfter: "7m" } } })), true);
    assert.equal(idleAfter(), "7m");
    assert.equal(state.snapshot().get("agents/second"), second);
  });

  it("is the last good state of an object that has become bad, with a problem that names it", () => {
    const { state, idleAfter } = start();
    state.take(key, group({ spec: { session: { idleAfter: "7m" } } }));
    assert.equal(state.take(key, group({ spec: bad })), true);
    assert.equal(idleAfter(), "7m");
    const [problem, ...more] = state.problems();
    assert.deepEqual([problem?.file, problem?.path], ["AgentGroup agents/helper", "spec.session.idleAfter"]);
    assert.deepEqual(more, []);
    assert.equal(state.take(key, group({ spec: bad })), false);
    assert.equal(state.take(key, group({ spec: { session: { idleAfter: "7m" } } })), true);
    assert.deepEqual(state.problems(), []);
  });

  it("is nothing of an object under the name of one that was good", () => {
    const { state, idleAfter } = start();
    state.take(key, group());
    assert.equal(state.take(key, group({ uid: "2", spec: bad })), true);
    assert.equal(idleAfter(), undefined);
  });

  for (const [what, seen] of [
    ["is gone", undefined],
    ["is being deleted", group({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } })],
  ] as const) {
    it(`is nothing of an object that ${what}, good or bad`, () => {
      const { state } = start();
      state.take(key, group());
      assert.equal(state.take(key, seen), true);
      assert.equal(state.snapshot().size, 0);
      state.take(key, group({ spec: bad }));
      assert.equal(state.take(key, seen), true);
      assert.deepEqual(state.problems(), []);
      assert.equal(state.take(key, seen), false);
    });
  }
});
