import { parse } from "yaml";
import { z } from "zod";
import { readText } from "../repository.ts";
import { type ChartValue, readValues, type ValueTypes, valuesSchema } from "./chart-values.ts";
import { code, pageHead, table } from "./markdown.ts";

const charts = ["charts/copepod-crds", "charts/copepod"] as const;
const typesFile = "charts/value-types.yaml";
const rulesFile = "charts/copepod/files/rbac.yaml";

const rulesSchema = z.array(
  z.strictObject({
    program: z.enum(["router", "operator"]).optional(),
    people: z.string().optional(),
    about: z.string().optional(),
    place: z.enum(["agents", "keys", "system", "cluster"]),
    rules: z.array(
      z.strictObject({
        name: z.string(),
        why: z.string(),
        rule: z.strictObject({
          apiGroups: z.array(z.string()),
          resources: z.array(z.string()),
          verbs: z.array(z.string()),
        }),
      }),
    ),
  }),
);
type RuleSet = z.output<typeof rulesSchema>[number];

/** What is generated of the charts beside the kinds, by path. */
export function chartPages(root: string): [string, string][] {
  const types: ValueTypes = z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .parse(parse(readText(root, typesFile)));
  const ofValues = charts.flatMap((chart): [string, string][] => {
    const values = readValues(readText(root, `${chart}/values.yaml`), types);
    return [
      [`${chart}/values.schema.json`, valuesSchema(values)],
      [`${chart}/README.md`, chartReadme(chart, readText(root, `${chart}/about.md`), values)],
    ];
  });
  return [...ofValues, ["docs/reference/rbac.md", rbacPage(readText(root, rulesFile))]];
}

function chartReadme(chart: string, about: string, values: readonly ChartValue[]): string {
  const rows = values.map(({ path, byDefault, about: text }) => [
    code(path.join(".")),
    code(JSON.stringify(byDefault)),
    text,
  ]);
  return [
    ...pageHead(chart.split("/").at(-1) ?? chart, "values.yaml and about.md"),
    about.trim(),
    "",
    "## Values",
    "",
    ...table(["Value", "Default", "Meaning"], rows),
  ].join("\n");
}

const places: Readonly<Record<RuleSet["place"], string>> = {
  agents: "in each namespace of agents",
  keys: "in each namespace of agents, and never in more",
  system: "in the release's namespace",
  cluster: "in the whole cluster",
};

/** The page about who may do what at the API server. */
export function rbacPage(rules: string): string {
  return [
    ...pageHead("Rights in a cluster", rulesFile),
    "What the chart gives to programs, and offers to people. With `rbac.scope: ClusterRole` the rights in the agents' namespaces",
    "hold in all namespaces, but for that on Secrets.",
    "",
    ...rulesSchema.parse(parse(rules)).flatMap((set) => [
      `## ${titleOf(set)}`,
      "",
      ...(set.about === undefined ? [] : [`Who has it ${set.about}`, ""]),
      ...table(
        ["Rule", "API group", "Resources", "Verbs", "Why"],
        set.rules.map(({ name, why, rule }) => [
          code(name),
          rule.apiGroups.map((group) => code(group || "core")).join(", "),
          rule.resources.map(code).join(", "),
          rule.verbs.join(", "),
          why,
        ]),
      ),
    ]),
  ].join("\n");
}

const titleOf = ({ program, people, place }: RuleSet): string =>
  program === undefined ? `People: ClusterRole copepod-${people}` : `The ${program}, ${places[place]}`;
