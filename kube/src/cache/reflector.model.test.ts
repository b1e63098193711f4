import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Rig } from "./testing/rig.ts";
import { expired, refused, unavailable } from "./testing/server.ts";

const runs = 300;
const names = ["a", "b", "c", "d", "e", "f", "g"];

type Write = { readonly kind: "put" | "remove"; readonly name: string; readonly spec: number };

type Step =
  | Write
  | { readonly kind: "bookmark" | "writeElsewhere" | "compact" | "end" }
  | { readonly kind: "turn"; readonly times: number }
  | { readonly kind: "cut" | "fail"; readonly error: "cut" | "expired" | "unavailable" | "refused" }
  | { readonly kind: "pass"; readonly ms: number }
  /** The watch is cut, and what happens then is lost to all but a new list. */
  | { readonly kind: "gap"; readonly writes: readonly Write[] };

const write: fc.Arbitrary<Write> = fc.record({
  kind: fc.constantFrom("put", "remove"),
  name: fc.constantFrom(...names),
  spec: fc.nat(2),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: write },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("gap"), writes: fc.array(write, { maxLength: 5 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom("bookmark", "writeElsewhere", "compact", "end") }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("turn"), times: fc.nat(6) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("cut", "fail"),
      error: fc.constantFrom("cut", "expired", "unavailable", "refused"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("pass"), ms: fc.nat(70_000) }) },
);

describe("a reflector against any server", () => {
  it("ends with what the server has, and its changes add up to it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        await using rig = new Rig({ indexes: { spec: ({ spec }) => [String(spec)] } });
        rig.run();
        for (const one of steps) await take(rig, one);
        rig.server.failures.length = 0;
        // Whatever happened before: an event that comes now has to arrive.
        rig.server.put("last");
        await rig.untilEqual(100);
        assertIndexed(rig);
      }),
      { numRuns: runs },
    );
  });
});

async function take({ server, clock }: Pick<Rig, "server" | "clock">, one: Step): Promise<void> {
  switch (one.kind) {
    case "put":
      return server.put(one.name, { spec: one.spec });
    case "remove":
      return server.remove(one.name);
    case "bookmark":
      return server.bookmark();
    case "writeElsewhere":
      return server.writeElsewhere();
    case "compact":
      return server.compact();
    case "end":
      return server.endWatches();
    case "cut":
      return server.endWatches({ error: errors[one.error]() });
    case "fail":
      server.failures.push(errors[one.error]());
      return;
    case "gap":
      server.endWatches({ error: expired() });
      for (const write of one.writes) await take({ server, clock }, write);
      return server.compact();
    case "pass":
      return clock.pass(one.ms);
    case "turn":
      for (let time = 0; time < one.times; time++) await new Promise(setImmediate);
  }
}

const errors = { cut: () => new Error("cut"), expired, unavailable, refused };

function assertIndexed({ cache, server }: Rig): void {
  const objects = [...server.objects().values()];
  for (const spec of new Set(objects.map((object) => String(object.spec)))) {
    const expected = objects.filter((object) => String(object.spec) === spec).map(({ metadata }) => metadata.name);
    const found = cache.byIndex("spec", spec).map(({ metadata }) => metadata.name);
    assert.deepEqual(found.sort(), expected.sort());
  }
}
