import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rbacPage } from "./chart-pages.ts";
import { readValues, valuesSchema } from "./chart-values.ts";
import { crdTemplate } from "./crd-chart.ts";

const yaml = `# About the file.

# -- Names.
# @type names
names: [a]
part:
  # -- A text that goes
  # on.
  text: ""
  inner:
    # -- A switch.
    isOn: true
`;

const types = { names: { type: "array" } };

describe("what is generated of charts", () => {
  it("tells each value with its text, default and type", () => {
    const values = readValues(yaml, types);
    assert.deepEqual(
      values.map(({ path, about, byDefault }) => [path.join("."), about, byDefault]),
      [
        ["names", "Names.", ["a"]],
        ["part.text", "A text that goes on.", ""],
        ["part.inner.isOn", "A switch.", true],
      ],
    );
    const schema = JSON.parse(valuesSchema(values));
    assert.equal(schema.additionalProperties, false);
    assert.equal(schema.properties.part.additionalProperties, false);
    assert.equal(schema.properties.part.properties.inner.properties.isOn.type, "boolean");
    assert.equal(schema.properties.names.type, "array");
  });

  it("refuses a value without a text, and one whose type can't be known", () => {
    assert.throws(() => readValues("part:\n  silent: 1\n", types), /part\.silent: the value needs a text/);
    assert.throws(() => readValues("# -- A list.\nlist: []\n", types), /list: its type can't be read off its default/);
    assert.throws(() => readValues("# -- A list.\n# @type odd\nlist: []\n", types), /list: there is no type odd/);
  });

  it("lets a kind stay, and its texts be no template", () => {
    const template = crdTemplate("metadata:\n  name: a.copepod.dev\nspec:\n  about: a {{ b }}\n");
    assert.match(template, /name: a\.copepod\.dev\n {2}\{\{- if \.Values\.keep \}\}\n {2}annotations:/);
    assert.match(template, /about: a \{\{ "\{\{" \}\} b \{\{ "\}\}" \}\}/);
    assert.throws(() => crdTemplate("kind: odd\n"), /has no metadata\.name/);
  });

  it("tells rights with their reason, and refuses one without", () => {
    const rule = "{ apiGroups: [''], resources: [pods], verbs: [get] }";
    const page = rbacPage(
      `[{ program: operator, place: agents, rules: [{ name: see, why: To see., rule: ${rule} }] }]`,
    );
    assert.match(page, /\| `see` \| `core` \| `pods` \| get \| To see\. \|/);
    assert.throws(
      () => rbacPage(`[{ program: operator, place: agents, rules: [{ name: see, rule: ${rule} }] }]`),
      /why/,
    );
  });
});
