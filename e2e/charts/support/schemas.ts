import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { ControlPlane } from "../../cluster/control-plane/control-plane.ts";

const definitionSchema = z.looseObject({
  properties: z.record(z.string(), z.unknown()).optional(),
  "x-kubernetes-group-version-kind": z
    .array(z.object({ group: z.string(), version: z.string(), kind: z.string() }))
    .optional(),
});
const openApiSchema = z.object({ definitions: z.record(z.string(), definitionSchema) });

type Definitions = Readonly<Record<string, z.output<typeof definitionSchema>>>;

/** Of kubeconform: where it looks for the schema of an object. */
export const schemaLocation = (folder: string): string => join(folder, "{{.ResourceKind}}{{.KindSuffix}}.json");

/**
 * Writes what an API server says about these kinds as the JSON schemas that kubeconform takes, so that no network is needed.
 * Objects have no fields but those that are named.
 */
export async function writeSchemas(plane: ControlPlane, folder: string, wanted: ReadonlySet<string>): Promise<void> {
  const { definitions } = openApiSchema.parse((await plane.call("GET", "/openapi/v2")).body);
  for (const [name, { "x-kubernetes-group-version-kind": kinds = [] }] of Object.entries(definitions))
    for (const { group, version, kind } of kinds.filter((each) => wanted.has(each.kind))) {
      const suffix = [...(group === "" ? [] : [group.split(".")[0]]), version].join("-");
      const schema = { $ref: `#/definitions/${name}`, definitions: strictly(definitions, name) };
      await writeFile(join(folder, `${kind.toLowerCase()}-${suffix}.json`), JSON.stringify(schema));
    }
}

/** One definition, with all that it refers to. */
function strictly(definitions: Definitions, name: string): Record<string, object> {
  const reached: Record<string, object> = {};
  const open = [name];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const one = definitions[next];
    if (!one || reached[next]) continue;
    reached[next] = asStrict(next, one);
    open.push(...[...JSON.stringify(one).matchAll(/"#\/definitions\/([^"]+)"/g)].map(([, found = ""]) => found));
  }
  return reached;
}

/** These are text or number, which OpenAPI v2 can't say. */
const textOrNumber = /\.(IntOrString|Quantity)$/;

function asStrict(name: string, one: z.output<typeof definitionSchema>): object {
  if (textOrNumber.test(name)) return { type: ["string", "number"] };
  return one.properties ? { ...one, additionalProperties: false } : one;
}
