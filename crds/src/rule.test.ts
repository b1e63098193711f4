import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { lineSchema } from "./fields.ts";
import { crdYaml } from "./generator/crd.ts";
import { resourcesMarkdown } from "./generator/reference.ts";
import { celRulesOf, withRuleOver } from "./rule.ts";
import { timerDefinition, timerRows } from "./testing/over-texts.ts";

describe("a rule over texts of several fields", () => {
  for (const { name, document, refusal } of timerRows) {
    it(`${refusal ? "refuses, once," : "takes"} ${name}`, () => {
      const issues = timerDefinition.schema.safeParse(document).error?.issues ?? [];
      assert.deepEqual([...new Set(issues.map(({ path }) => path.join(".")))], refusal ? [refusal.path] : []);
    });
  }

  it("is looked at by the API server only where each is there and good by itself", () => {
    const line = lineSchema(9).min(1);
    const schema = withRuleOver(z.strictObject({ a: line.optional(), b: line.default("b") }), ["a", "b"], {
      cel: "self.a != self.b",
      message: "a must not be b",
      holds: ({ a, b }) => a !== b,
    });
    const guards = ["a", "b"].map(
      (name) => `!has(self.${name}) || !self.${name}.matches("^\\\\P{Cc}*$") || self.${name}.size() < 1`,
    );
    assert.equal(celRulesOf(schema)[0]?.rule, `${guards.join(" || ")} || (self.a != self.b)`);
    assert.match(
      crdYaml(timerDefinition),
      /!\(duration\(self\.maxAge\) >= duration\('1s'\)\) \|\| !has\(self\.idleAfter\)/,
    );
  });

  it("stands on the reference page with the place of the problem", () => {
    const page = resourcesMarkdown([timerDefinition], new Map());
    assert.match(page, /^- `spec\.session`, shown at `\.idleAfter`: maxAge must be longer than idleAfter$/m);
  });
});
