import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { foreignPolicies } from "./foreign-policies.ts";

const podLabels = [{ "copepod.dev/component": "session", "copepod.dev/group": "a" }];
const namesOf = (spec: object, name = "theirs") =>
  foreignPolicies([{ metadata: { name }, spec: { podSelector: {}, policyTypes: ["Egress"], egress: [{}], ...spec } }], {
    ...{ own: "copepod-group-a", podLabels },
  });
const selecting = (key: string, operator: string, values?: readonly string[]) => ({
  podSelector: { matchExpressions: [{ key, operator, ...(values && { values }) }] },
});

describe("a policy of somebody else's", () => {
  for (const [name, spec, isForeign] of [
    ["opens when it selects all pods", {}, true],
    ["opens when it selects by a label", { podSelector: { matchLabels: { "copepod.dev/group": "a" } } }, true],
    [
      "opens nothing for pods it does not select",
      { podSelector: { matchLabels: { "copepod.dev/group": "b" } } },
      false,
    ],
    ["opens nothing when it only denies", { egress: [] }, false],
    ["opens nothing when it is for what comes in", { policyTypes: ["Ingress"] }, false],
    ["opens by In", selecting("copepod.dev/group", "In", ["a", "b"]), true],
    ["opens by NotIn, also where the label is missing", selecting("app", "NotIn", ["x"]), true],
    ["opens by Exists", selecting("copepod.dev/component", "Exists"), true],
    ["opens nothing by DoesNotExist of a label that is there", selecting("copepod.dev/group", "DoesNotExist"), false],
    ["opens nothing by what every object has in JavaScript", selecting("constructor", "Exists"), false],
    ["may open when it can't be read", { podSelector: 1 }, true],
  ] as const) {
    it(name, () => assert.deepEqual(namesOf(spec), isForeign ? ["theirs"] : []));
  }

  it("is not the group's own", () => assert.deepEqual(namesOf({}, "copepod-group-a"), []));
});
