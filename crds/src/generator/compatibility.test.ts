import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { durationSchema } from "../duration.ts";
import { definitions } from "../kinds.ts";
import { celRulesOf, withRuleOver } from "../rule.ts";
import { type Crd, findBreaks } from "./compatibility.ts";
import { crdFileName, crdYaml } from "./crd.ts";

const releasedFolder = join(import.meta.dirname, "../../released");

const field = { description: "A field.", type: "string", maxLength: 10 };
const spec = {
  type: "object",
  required: ["name"],
  properties: {
    name: { ...field, pattern: "^a", minLength: 2 },
    note: field,
    mode: { type: "string", enum: ["A", "B"], default: "A" },
    count: { type: "integer", format: "int32", minimum: 1, maximum: 9, default: 3 },
    list: {
      type: "array",
      maxItems: 5,
      minItems: 1,
      items: { type: "object", required: ["name"], properties: { name: field, value: field } },
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
    },
    free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    empty: { type: "string", maxLength: 10, nullable: true },
  },
  "x-kubernetes-validations": [{ rule: "self.name != 'a'", message: "not a" }],
};

const base = {
  spec: {
    group: "example.org",
    scope: "Namespaced",
    names: {
      kind: "Thing",
      listKind: "ThingList",
      plural: "things",
      singular: "thing",
      shortNames: ["th"],
      categories: ["all"],
    },
    versions: [
      {
        name: "v1",
        served: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", properties: { spec } } },
      },
    ],
  },
};

/** A copy in which one place is another; undefined = it is gone. */
function change(path: string, value: unknown): Crd {
  const copy: typeof base = JSON.parse(JSON.stringify(base));
  const keys = path.split("/");
  const last = keys.pop() ?? "";
  const parent = keys.reduce<Record<string, unknown>>((node, key) => Object(node[key]), Object(copy.spec));
  if (value === undefined) delete parent[last];
  else parent[last] = value;
  return copy;
}

const inSpec = (path: string, value: unknown): Crd =>
  change(`versions/0/schema/openAPIV3Schema/properties/spec/${path}`, value);
const rules = (...more: string[]) =>
  ["self.name != 'a'", ...more].map((rule) => ({ rule, message: "Another sentence." }));

/** Of two texts whose pattern has a question mark. */
const overTexts = (...names: ["other" | "note", "other" | "note"]) => {
  const schema = z.strictObject({ other: durationSchema.optional(), note: durationSchema.optional() });
  const rule = { cel: "self.note != self.other", message: "m", holds: () => true };
  return [...rules(), ...celRulesOf(withRuleOver(schema, names, rule))];
};

const breaking: Readonly<Record<string, readonly [Crd | undefined, RegExp]>> = {
  "a kind": [undefined, /^Thing: the kind is gone$/],
  "a version": [change("versions", []), /^Thing: v1 is no longer served$/],
  "a version that is served": [change("versions/0/served", false), /^Thing: v1 is no longer served$/],
  "the status subresource": [change("versions/0/subresources", {}), /^Thing: the subresource status is gone$/],
  "the group": [change("group", "example.com"), /^Thing: the group is example\.com, was example\.org$/],
  "the scope": [change("scope", "Cluster"), /^Thing: the scope is Cluster, was Namespaced$/],
  "the conversion": [
    change("conversion", { strategy: "Webhook" }),
    /^Thing: the conversion is \{"strategy":"Webhook"\}, was not set$/,
  ],
  "a version more, in which a field would be lost": [
    change("versions", [
      ...base.spec.versions,
      { ...inSpec("properties/note", undefined).spec.versions[0], name: "v2" },
    ]),
    /^Thing v2\.spec\.note: the field is gone$/,
  ],
  "the plural": [change("names/plural", "thingies"), /^Thing: plural is thingies, was things$/],
  "a short name": [change("names/shortNames", ["t"]), /^Thing: shortNames no longer has th$/],
  "a category": [change("names/categories", []), /^Thing: categories no longer has all$/],
  "a field": [inSpec("properties/note", undefined), /^Thing\.spec\.note: the field is gone$/],
  "a field of a list's item": [
    inSpec("properties/list/items/properties/value", undefined),
    /^Thing\.spec\.list\[\]\.value: the field is gone$/,
  ],
  "a type": [inSpec("properties/note/type", "integer"), /^Thing\.spec\.note: type is "integer", was "string"$/],
  "a value of an enum": [inSpec("properties/mode/enum", ["A"]), /^Thing\.spec\.mode: enum is \["A"\], was/],
  "a free text to an enum": [inSpec("properties/note/enum", ["A"]), /^Thing\.spec\.note: enum is \["A"\], was not set/],
  "a greatest length": [inSpec("properties/note/maxLength", 9), /note: maxLength is 9, was 10$/],
  "a greatest count": [inSpec("properties/list/maxItems", 4), /list: maxItems is 4, was 5$/],
  "a greatest number": [inSpec("properties/count/maximum", 8), /count: maximum is 8, was 9$/],
  "a least length": [inSpec("properties/name/minLength", 3), /name: minLength is 3, was 2$/],
  "a least length where there was none": [inSpec("properties/note/minLength", 1), /note: minLength is 1, was not set$/],
  "a least count": [inSpec("properties/list/minItems", 2), /list: minItems is 2, was 1$/],
  "a least number": [inSpec("properties/count/minimum", 2), /count: minimum is 2, was 1$/],
  "a pattern": [inSpec("properties/name/pattern", "^a|b"), /name: pattern is "\^a\|b", was "\^a"$/],
  "no pattern to one": [inSpec("properties/note/pattern", "^a"), /note: pattern is "\^a", was not set$/],
  "a format": [inSpec("properties/note/format", "date-time"), /note: format is "date-time", was not set$/],
  "a field to a required one": [inSpec("required", ["name", "note"]), /^Thing\.spec\.note: is required, was not$/],
  "a default": [inSpec("properties/count/default", 4), /count: default is 4, was 3$/],
  "a default to none": [inSpec("properties/count/default", undefined), /count: default is not set, was 3$/],
  "no default to one": [inSpec("properties/note/default", "a"), /note: default is "a", was not set$/],
  "null to no value": [inSpec("properties/empty/nullable", undefined), /empty: nullable is not set, was true$/],
  "the keys of a list": [
    inSpec("properties/list/x-kubernetes-list-map-keys", ["value"]),
    /list: x-kubernetes-list-map-keys is \["value"\], was \["name"\]$/,
  ],
  "a list's type": [inSpec("properties/list/x-kubernetes-list-type", "atomic"), /list: x-kubernetes-list-type is/],
  "free fields to known ones": [
    inSpec("properties/free/x-kubernetes-preserve-unknown-fields", undefined),
    /free: x-kubernetes-preserve-unknown-fields is not set, was true$/,
  ],
  "a free field to one with a schema": [
    inSpec("properties/free/properties", { a: field }),
    /^Thing\.spec\.free\.a: was a free field/,
  ],
  "a word that nobody has thought of": [inSpec("properties/note/multipleOf", 2), /note: multipleOf is 2, was not set$/],
  "no rule to one": [
    inSpec("x-kubernetes-validations", rules("self.note != ''")),
    /^Thing\.spec: has the new rule self/,
  ],
  "a rule": [
    inSpec("x-kubernetes-validations", [{ rule: "self.name != 'b'", message: "not a" }]),
    /^Thing\.spec: has the new rule self\.name != 'b'$/,
  ],
  "a rule about an old field": [
    inSpec("x-kubernetes-validations", rules("!has(self.note) || self.note != ''")),
    /new rule/,
  ],
  "a rule that only looks as if it were about a new field": [
    inSpec("x-kubernetes-validations", rules("!has(self.other) || true ? false : true")),
    /new rule/,
  ],
  "a rule that has a choice between texts": [
    inSpec("x-kubernetes-validations", rules("!has(self.other) || self.other == '?' ? 'a' == \"'\" : true")),
    /new rule/,
  ],
  "a rule that hides a choice behind a raw text": [
    inSpec("x-kubernetes-validations", rules(String.raw`!has(self.other) || r"\" == "" ? false : "\"" == "x"`)),
    /new rule/,
  ],
  "a rule that hides a choice in a text of three quotes": [
    inSpec("x-kubernetes-validations", rules("!has(self.other) || '''a'b''' == 'x' ? false : '''a'b''' == 'y'")),
    /new rule/,
  ],
  "a rule over texts, an old one first": [inSpec("x-kubernetes-validations", overTexts("note", "other")), /new rule/],
};

const compatible: Readonly<Record<string, Crd>> = {
  nothing: base,
  "a version more": change("versions", [...base.spec.versions, { ...base.spec.versions[0], name: "v2" }]),
  "a short name more": change("names/shortNames", ["th", "tng"]),
  "a field more": inSpec("properties/other", field),
  "a required field more, with a default": inSpec("required", ["name", "count"]),
  "a value more in an enum": inSpec("properties/mode/enum", ["C", "B", "A"]),
  "an enum less": inSpec("properties/mode/enum", undefined),
  "greater bounds": inSpec("properties/note/maxLength", 11),
  "a bound less": inSpec("properties/list/minItems", undefined),
  "a pattern less": inSpec("properties/name/pattern", undefined),
  "a wider integer": inSpec("properties/count/format", "int64"),
  "less that is required": inSpec("required", []),
  "null allowed": inSpec("properties/note/nullable", true),
  "a rule less": inSpec("x-kubernetes-validations", []),
  "another sentence of a rule": inSpec("x-kubernetes-validations", rules()),
  "a rule about a new field": inSpec("x-kubernetes-validations", rules("!has(self.other) || self.other != self.name")),
  "a rule over texts, a new one first": inSpec("x-kubernetes-validations", overTexts("other", "note")),
  "another description": inSpec("properties/note/description", "Something else."),
};

describe("a change of a kind", () => {
  for (const [what, [next, reason]] of Object.entries(breaking)) {
    it(`breaks stored objects: ${what}`, () => {
      const breaks = findBreaks(base, next);
      assert.equal(breaks.length, 1, breaks.join("\n"));
      assert.match(breaks[0] ?? "", reason);
    });
  }
  for (const [what, next] of Object.entries(compatible)) {
    it(`breaks nothing: ${what}`, () => assert.deepEqual(findBreaks(base, next), []));
  }
});

const advice = [
  "Objects of the last release would break, and kinds only grow (docs/adr/0017-kinds-only-grow.md).",
  "Let what is new be optional or have a default, and begin a new rule with `!has(self.<new field>) || `,",
  "as withRuleOver does when the new field comes first.",
  "If the change is harmless all the same, make it in crds/released/ too, in the same commit, and say why.",
];

describe("what the last release stored", () => {
  const now = new Map(definitions.map((one): [string, Crd] => [crdFileName(one), parse(crdYaml(one))]));
  for (const file of readdirSync(releasedFolder)) {
    it(`is still good: ${file}`, () => {
      const breaks = findBreaks(parse(readFileSync(join(releasedFolder, file), "utf8")), now.get(file));
      assert.ok(breaks.length === 0, [...breaks, ...advice].join("\n"));
    });
  }
});
