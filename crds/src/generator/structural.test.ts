import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { namedListOf } from "../fields.ts";
import { withRule } from "../rule.ts";
import { toStructural } from "./structural.ts";

const text = z.string().max(10).describe("Text.");

describe("the schema of a CRD", () => {
  it("keeps defaults of objects within objects, and says nothing of extra fields", () => {
    const inner = z
      .strictObject({ a: text.default("x") })
      .prefault({})
      .describe("Inner.");
    assert.deepEqual(toStructural(z.strictObject({ inner })), {
      type: "object",
      properties: {
        inner: {
          description: "Inner.",
          type: "object",
          default: {},
          properties: { a: { description: "Text.", type: "string", maxLength: 10, default: "x" } },
        },
      },
    });
  });

  it("gives integers a format, and keeps those that JavaScript can't hold out", () => {
    const counts = z.strictObject({
      small: z.int32().min(1).max(9).describe("Small."),
      large: z.int().min(0).describe("Large."),
    });
    assert.deepEqual(toStructural(counts).properties, {
      small: { description: "Small.", type: "integer", format: "int32", minimum: 1, maximum: 9 },
      large: {
        description: "Large.",
        type: "integer",
        format: "int64",
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
      },
    });
  });

  it("takes rules in CEL with it", () => {
    const rule = { cel: "self != 'a'", message: "not a", holds: (value: string) => value !== "a" };
    assert.deepEqual(toStructural(withRule(text, rule))["x-kubernetes-validations"], [
      { rule: "self != 'a'", message: "not a" },
    ]);
  });

  it("merges lists of named items by their name", () => {
    const list = namedListOf(z.strictObject({ name: text }), { max: 3 }).describe("List.");
    assert.deepEqual(toStructural(z.strictObject({ list })).properties, {
      list: {
        description: "List.",
        type: "array",
        maxItems: 3,
        items: {
          type: "object",
          required: ["name"],
          properties: { name: { description: "Text.", type: "string", maxLength: 10 } },
        },
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
      },
    });
  });

  it("opens objects whose fields nobody knows", () => {
    const open = z.record(z.string(), z.unknown());
    assert.deepEqual(toStructural(open), { type: "object", "x-kubernetes-preserve-unknown-fields": true });
  });

  const impossible: Record<string, [z.ZodType, RegExp]> = {
    "a refinement without a rule": [z.strictObject({ a: text.refine((a) => a !== "") }), /^Error: a: a refinement/],
    "a refinement behind a default": [
      z.strictObject({ a: text.refine(Boolean).default("x") }),
      /^Error: a: a refinement has no rule in CEL/,
    ],
    "a refinement in a list": [
      z.strictObject({ a: z.array(text.refine(Boolean)).max(1).describe("A.") }),
      /^Error: a\[\]: a refinement/,
    ],
    "a string without a maximum": [z.strictObject({ a: z.string().describe("A.") }), /a: a string needs a maximum/],
    "a list without a maximum": [z.strictObject({ a: z.array(text).describe("A.") }), /a: a list needs a maximum/],
    "a map": [z.strictObject({ a: z.record(z.string(), text).describe("A.") }), /a: a map needs a maximum/],
    "a field without a description": [z.strictObject({ a: z.boolean() }), /a: a field needs a description/],
    "a union": [z.strictObject({ a: z.union([text, z.int()]).describe("A.") }), /a: union is not supported/],
    "a transformation": [z.strictObject({ a: text.transform(Number) }), /a: pipe is not supported/],
    "look-around in a pattern": [
      z
        .string()
        .max(9)
        .regex(/a(?=b)/),
      /look-around/,
    ],
    "two patterns": [z.string().max(9).regex(/a/).regex(/b/), /"allOf" is not allowed/],
  };
  for (const [what, [schema, message]] of Object.entries(impossible)) {
    it(`is refused for ${what}`, () => assert.throws(() => toStructural(schema), message));
  }
});
