import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { textAt } from "./value-at.ts";

const object = {
  spec: { group: "helper", names: ["a", "b"], size: 0, key: { kind: "Group" } },
  status: { conditions: [{ type: "Other" }, { type: "Ready", status: "True" }], gone: null },
};

describe("a value of an object", () => {
  const cases: [string, string | undefined][] = [
    [".spec.group", "helper"],
    [".spec.names", "a,b"],
    [".spec.size", "0"],
    [".spec.key", '{"kind":"Group"}'],
    [".spec.group.deeper", undefined],
    [".status.gone", undefined],
    ['.status.conditions[?(@.type=="Ready")].status', "True"],
    ['.status.conditions[?(@.type=="None")].status', undefined],
    ['.spec.group[?(@.type=="Ready")].status', undefined],
  ];
  for (const [path, text] of cases) it(`at ${path} is ${text}`, () => assert.equal(textAt(object, path), text));
});
