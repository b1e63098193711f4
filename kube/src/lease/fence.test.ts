import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CallOptions } from "../client/client.ts";
import type { KubeObject, Resource } from "../object.ts";
import { Fence } from "./fence.ts";
import { leaseResource } from "./lease-record.ts";

const read: KubeObject = { metadata: { namespace: "ns", name: "a", uid: "u", resourceVersion: "1" } };

/** A client whose calls end only by their signal. */
function start({ term = "1", confirm = async () => {} } = {}) {
  const calls: (CallOptions | undefined)[] = [];
  const hang = (options?: CallOptions): Promise<never> => {
    calls.push(options);
    return new Promise((_, reject) => options?.signal?.addEventListener("abort", () => reject(options.signal?.reason)));
  };
  const lost = new AbortController();
  const fence = new Fence({
    client: {
      create: (_: Resource, __: object, options) => hang(options),
      mergePatch: (...[, , , options]) => hang(options),
      delete: (_: Resource, __: object, options) => hang(options),
    },
    leadership: { term, signal: lost.signal, check: () => {}, confirm },
    annotation: "example.dev/term",
  });
  return { calls, lost, fence };
}

const writes: Readonly<Record<string, (fence: Fence, options: CallOptions) => Promise<unknown>>> = {
  create: (fence, options) => fence.create(leaseResource, read, options),
  "merge patch": (fence, options) => fence.mergePatch(leaseResource, read, {}, options),
  delete: (fence, options) => fence.delete(leaseResource, read, options),
};

describe("a fenced write", () => {
  it("asks the Lease when its object carries a term that is not an earlier one", async () => {
    const own = "2030-01-01T00:00:05Z/b/0000000001";
    const asked: string[] = [];
    for (const [term, isAsked] of [
      [own, false],
      ["2030-01-01T00:00:05Z/b/0000000000", false],
      ["2030-01-01T00:00:04Z/z/0000000009", false],
      ["2030-01-01T00:00:05Z/b/0000000002", true],
      ["2030-01-01T00:00:06Z/a/0000000000", true],
      // Of another Lease of the same second: before or after, nobody knows.
      ["2030-01-01T00:00:05Z/a/0000000000", true],
      ["what somebody wrote", true],
    ] as const) {
      asked.length = 0;
      const { fence } = start({ term: own, confirm: async () => void asked.push(term) });
      const annotations = { "example.dev/term": term };
      void fence.mergePatch(leaseResource, { metadata: { ...read.metadata, annotations } }, {});
      await new Promise(setImmediate);
      assert.deepEqual(asked, isAsked ? [term] : [], term);
    }
  });

  for (const [name, write] of Object.entries(writes)) {
    it(`ends by the signal of its call, and with the leadership: ${name}`, async () => {
      const { calls, lost, fence } = start();
      const call = new AbortController();
      const given = write(fence, { signal: call.signal, timeoutMs: 5 });
      const other = write(fence, {});
      await new Promise(setImmediate);
      call.abort(new Error("given up"));
      await assert.rejects(given, /given up/);
      lost.abort(new Error("deposed"));
      await assert.rejects(other, /deposed/);
      assert.equal(calls[0]?.timeoutMs, 5);
    });
  }
});
