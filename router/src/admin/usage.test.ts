import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { UsageSum } from "@copepod/core/admin-api";
import { buildResources } from "../resources/testing.ts";
import { sumUsage } from "./usage.ts";

const sum = (key: string, costMicros: number): UsageSum => ({
  key,
  requests: 1,
  failed: 0,
  inputTokens: 10,
  outputTokens: 1,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  costMicros,
  unpriced: 0,
});

const usageOf = async (by: "group" | "user", sums: readonly UsageSum[]) => {
  const resources = buildResources([
    { kind: "User", metadata: { name: "ada" }, spec: { identities: ["slack:U1", "terminal:ada"] } },
    { kind: "User", metadata: { name: "eve", namespace: "other" }, spec: { identities: ["slack:U2"] } },
  ]);
  const deps = { store: { usage: async () => sums }, resources: { current: () => resources } };
  return (await sumUsage(deps, { namespace: "default", by, since: 0 })).map(
    ({ key, requests, costMicros }) => `${key}: ${requests}, ${costMicros}`,
  );
};

describe("usage", () => {
  it("of a person's identities is one sum; whom no User of the namespace lists stays apart", async () => {
    const sums = [sum("slack:U2", 5), sum("slack:U1", 4), sum("terminal:ada", 3), sum("", 1)];
    assert.deepEqual(await usageOf("user", sums), ["ada: 2, 7", "slack:U2: 1, 5", ": 1, 1"]);
  });

  it("of a group is told by its name", async () => {
    assert.deepEqual(await usageOf("group", [sum("default/helper", 1)]), ["helper: 1, 1"]);
  });
});
