import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { plantRepository } from "../testing.ts";
import { checkBlocks } from "./doc-blocks.ts";

const vocabulary = { scripts: new Set(["check", "start", "test"]), commands: new Set(["get", "ask"]) };

function check(language: string, ...lines: string[]): string[] {
  using planted = plantRepository({ "docs/a.md": ["# A", `\`\`\`${language}`, ...lines, "```", ""].join("\n") });
  return checkBlocks(planted.root, vocabulary);
}

function checkText(text: string): string[] {
  using planted = plantRepository({ "docs/a.md": text });
  return checkBlocks(planted.root, vocabulary);
}

const group = (...spec: string[]): string[] => [
  "apiVersion: copepod.dev/v1alpha1",
  "kind: AgentGroup",
  "metadata:",
  "  name: a",
  "spec:",
  ...spec,
];

describe("code in the docs", () => {
  it("passes when it is right", () => {
    assert.deepEqual(check("yaml", ...group("  timeZone: UTC"), "---", "other: 1"), []);
    assert.deepEqual(check("yaml", "apiVersion: apps/v1", "kind: Deployment"), []);
    assert.deepEqual(check("ts", "const a: number = 1;", "export type B = { a: typeof a };"), []);
    assert.deepEqual(check("sh", "npm ci && npm test", "npm run check # all", "echo x | npx copepod ask"), []);
    assert.deepEqual(check("text", "npm run nothing"), []);
    assert.deepEqual(checkText("`copepod get sessions` and `npm start`; a `copepod` is a crustacean"), []);
  });

  it("is caught: a resource with an unknown field", () => {
    assert.deepEqual(check("yaml", ...group("  zone: UTC")), ["docs/a.md:3: yaml: spec.zone: unknown field"]);
  });

  it("is caught: a kind without its version", () => {
    assert.match(check("yaml", "kind: AgentGroup").join(), /apiVersion: must be copepod\.dev\/v1alpha1/);
  });

  it("is caught: malformed YAML", () => assert.match(check("yaml", "a: [1").join(), /^docs\/a\.md:3: yaml: /));

  it("is caught: TypeScript that does not parse, or needs more than stripping", () => {
    assert.match(check("ts", "const a = ;").join(), /^docs\/a\.md:3: ts: /);
    assert.match(check("ts", "enum A { B }").join(), /^docs\/a\.md:3: ts: /);
  });

  it("is caught: a script or command that does not exist", () => {
    assert.deepEqual(check("sh", "npm ci && npm run build"), ["docs/a.md:3: sh: there is no `npm run build`"]);
    assert.deepEqual(check("sh", "npx copepod list"), ["docs/a.md:3: sh: there is no `copepod list`"]);
    assert.deepEqual(checkText("\nuse `copepod list` now"), ["docs/a.md:2: sh: there is no `copepod list`"]);
  });
});
