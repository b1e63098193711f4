import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { credentialDefinition } from "../credential.ts";
import { definitions } from "../kinds.ts";
import { parseResource } from "../parse.ts";
import { crdYaml } from "./crd.ts";
import { resourcesMarkdown } from "./reference.ts";
import { type StructuralSchema, toStructural } from "./structural.ts";

const schemaSchema = z.record(z.string(), z.unknown());
const fieldsSchema = z.object({
  required: z.array(z.string()).default([]),
  properties: z.record(z.string(), schemaSchema).default({}),
  items: schemaSchema.optional(),
});

const samplesDir = join(import.meta.dirname, "../../samples");

describe("the CRD of a kind", () => {
  for (const definition of definitions) {
    it(`${definition.kind} is named after it, versioned, and has a status of its own`, () => {
      const crd = parse(crdYaml(definition));
      assert.equal(crd.metadata.name, `${crd.spec.names.plural}.${crd.spec.group}`);
      assert.deepEqual(crd.spec.names.categories, ["copepod"]);
      const [version] = crd.spec.versions;
      assert.deepEqual([version.name, version.served, version.storage], ["v1alpha1", true, true]);
      assert.deepEqual(version.subresources, { status: {} });
    });

    it(`${definition.kind} has columns whose fields exist`, () => {
      const [version] = parse(crdYaml(definition)).spec.versions;
      for (const { jsonPath } of version.additionalPrinterColumns) {
        if (jsonPath === ".metadata.creationTimestamp") continue;
        const keys = jsonPath.replace(/\[.*$/, "").slice(1).split(".");
        const found = keys.reduce(
          (schema: { properties?: Record<string, object> } | undefined, key: string) => schema?.properties?.[key],
          version.schema.openAPIV3Schema,
        );
        assert.ok(found, `${definition.kind} ${jsonPath}`);
      }
    });
  }

  for (const { kind, spec } of definitions) {
    it(`${kind} tells of each field that may be left out what then holds`, () => {
      for (const [path, field] of optionalFields(toStructural(spec))) {
        assert.match(String(field.description), /\b[Dd]efault|\bRequired (for|without)\b/, `${kind} ${path}`);
      }
    });
  }

  it("asks for a spec only where one is needed", () => {
    const required = definitions.map((one) => parse(crdYaml(one)).spec.versions[0].schema.openAPIV3Schema.required);
    assert.deepEqual(required, [undefined, ["spec"], ["spec"], ["spec"], ["spec"], ["spec"], undefined]);
  });
});

/** Not those that have only further fields, each with a default of its own. */
function optionalFields(schema: StructuralSchema, path = "spec"): [string, StructuralSchema][] {
  const { required, properties, items } = fieldsSchema.parse(schema);
  const fields = Object.entries(properties).flatMap(([name, field]) => {
    const inner = optionalFields(field, `${path}.${name}`);
    const isOptional = !required.includes(name) && JSON.stringify(field.default) !== "{}";
    return isOptional ? [[`${path}.${name}`, field] satisfies [string, StructuralSchema], ...inner] : inner;
  });
  return items === undefined ? fields : [...fields, ...optionalFields(items, `${path}[]`)];
}

describe("the CRD of a Credential", () => {
  const { openAPIV3Schema } = parse(crdYaml(credentialDefinition)).spec.versions[0].schema;

  it("has a rule over name and spec at its top, where the API server sees both", () => {
    assert.equal(openAPIV3Schema["x-kubernetes-validations"].length, 1);
    assert.match(openAPIV3Schema["x-kubernetes-validations"][0].rule, /self\.metadata\.name != 'v1'/);
    assert.match(
      resourcesMarkdown([credentialDefinition], new Map()),
      /- `Credential`, shown at `\.metadata\.name`: a Credential with upstream/,
    );
  });

  it("knows the same headers about a connection as the check here", () => {
    const [rule] = openAPIV3Schema.properties.spec.properties.inject.properties.header["x-kubernetes-validations"];
    assert.match(rule.rule, /^!\(self in \['accept-encoding', 'connection', .*'upgrade'\]\)$/);
  });
});

describe("a sample", () => {
  const files = readdirSync(samplesDir);
  for (const file of files) {
    it(`${file} is accepted`, () => {
      for (const document of parseAllDocuments(readFileSync(join(samplesDir, file), "utf8"))) {
        assert.equal(parseResource(document.toJS()).ok, true);
      }
    });
  }

  it("exists for every kind", () => assert.equal(files.length, definitions.length));
});

describe("the reference page", () => {
  it("tells field, type, default, bounds and rules", () => {
    const page = resourcesMarkdown(definitions, new Map([["User", "kind: User"]]));
    assert.match(page, /\| `spec\.session\.maxRunning` \| integer \| `10` \| 1 to 1000 \|/);
    assert.match(page, /\| `spec\.identities` \| set of string \| required \| 1 to 100 items \|/);
    assert.match(page, /\| `spec\.tools\.mcpServers` \| list of object by name \| `\[\]` \| at most 20 items \|/);
    assert.match(page, /- `spec\.conversation`: exactly one of id and kind is required/);
    assert.match(page, /```yaml\nkind: User\n```/);
  });
});
