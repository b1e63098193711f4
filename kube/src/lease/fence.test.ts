import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CallOptions } from "../client/client.ts";
import type { KubeObject, Resource } from "../object.ts";
import { Fence } from "./fence.ts";
import { leaseResource } from "./lease-record.ts";

const read: KubeObject = { metadata: { namespace: "ns", name: "a", uid: "u", resourceVersion: "1" } };

/** A client whose calls end only by their signal. */
function start() {
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
    leadership: { term: "1", signal: lost.signal, check: () => {}, confirm: async () => {} },
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
