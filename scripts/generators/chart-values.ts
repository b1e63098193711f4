import { Document, isMap, isNode, isScalar, parseDocument, type YAMLMap } from "yaml";

/** Part of a JSON schema, as values.schema.json has it. */
type JsonSchema = Readonly<Record<string, unknown>>;
/** By name: `@type` in values.yaml names one. */
export type ValueTypes = Readonly<Record<string, JsonSchema>>;

/** One value of a chart, as values.yaml tells it. */
export interface ChartValue {
  readonly path: readonly string[];
  readonly about: string;
  readonly byDefault: unknown;
  readonly schema: JsonSchema;
}

/**
 * Reads values.yaml: a comment `# -- text` documents the value below it, `@type name` in it says what the value may be
 * where its default does not. All below a documented value is its default.
 * @throws Error for a value without a text, or with a type that can't be known
 */
export function readValues(yaml: string, types: ValueTypes): ChartValue[] {
  const { contents } = parseDocument(yaml);
  return isMap(contents) ? readMap(contents, [], types) : [];
}

function readMap(map: YAMLMap, above: readonly string[], types: ValueTypes): ChartValue[] {
  return map.items.flatMap(({ key, value }, index) => {
    if (!isScalar(key)) throw new Error(`${above.join(".")}: not a name`);
    const path = [...above, String(key.value)];
    // The parser gives what stands above the first key to the map.
    const comment = (index === 0 ? map.commentBefore : undefined) ?? key.commentBefore ?? "";
    if (comment.includes("-- ")) return [describeValue({ path, comment, byDefault: toJs(value) }, types)];
    if (!isMap(value)) throw new Error(`${path.join(".")}: the value needs a text, \`# -- …\``);
    return readMap(value, path, types);
  });
}

const toJs = (node: unknown): unknown => (isNode(node) ? node.toJS(new Document()) : node);

interface Found {
  readonly path: readonly string[];
  readonly comment: string;
  readonly byDefault: unknown;
}

function describeValue({ path, comment, byDefault }: Found, types: ValueTypes): ChartValue {
  const name = path.join(".");
  const lines = comment.split("\n").map((line) => line.trim());
  const type = lines.find((line) => line.startsWith("@type "))?.slice("@type ".length);
  const about = lines.filter((line) => !line.startsWith("@type ")).join(" ");
  const schema = type === undefined ? schemaOfDefault(name, byDefault) : types[type];
  if (!schema) throw new Error(`${name}: there is no type ${type}`);
  return { path, about: about.replace(/^.*?-- /, ""), byDefault, schema };
}

function schemaOfDefault(name: string, byDefault: unknown): JsonSchema {
  if (typeof byDefault === "string") return { type: "string" };
  if (typeof byDefault === "boolean") return { type: "boolean" };
  throw new Error(`${name}: its type can't be read off its default; add \`# @type …\``);
}

/** values.schema.json: nothing but the values that there are. */
export function valuesSchema(values: readonly ChartValue[]): string {
  const properties = {
    ...propertiesOf(values, 0),
    global: { description: "What a chart around this one gives to all. Not used.", type: "object" },
  };
  const schema = {
    $schema: "http://json-schema.org/draft-07/schema#",
    type: "object",
    additionalProperties: false,
    properties,
  };
  return `${JSON.stringify(schema, undefined, 2)}\n`;
}

function propertiesOf(values: readonly ChartValue[], depth: number): Record<string, JsonSchema> {
  const keys = [...new Set(values.map(({ path }) => path[depth] ?? ""))];
  return Object.fromEntries(
    keys.map((key) => {
      const below = values.filter(({ path }) => path[depth] === key);
      const own = below.find(({ path }) => path.length === depth + 1);
      if (own) return [key, { description: own.about, ...own.schema }];
      return [key, { type: "object", additionalProperties: false, properties: propertiesOf(below, depth + 1) }];
    }),
  );
}
