import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { promisify } from "node:util";
import { describeIssues, parseResource } from "@copepod/crds/parse";
import { environmentSchema as operatorEnvironment, settingsSchema } from "@copepod/operator/config";
import { environmentSchema as routerEnvironment } from "@copepod/router/config";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { controlPlaneGate, startControlPlane } from "../support/control-plane.ts";
import {
  type ChartObject,
  chartGate,
  chartsFolder,
  chartTools,
  readObjects,
  render,
  renderText,
  type SetValues,
} from "./support/chart.ts";
import { schemaLocation, writeSchemas } from "./support/schemas.ts";

const tools = ["helm", "helm-unittest", "kubeconform"] as const;
const skip = (await controlPlaneGate()) || (await chartGate(tools));

const run = promisify(execFile);
const charts = ["copepod-crds", "copepod"] as const;
const repository = join(chartsFolder, "..");
const read = (path: string): string => readFileSync(join(repository, path), "utf8");
/** Of values.schema.json: what has a description is a value, what has none holds some. */
const valuesOf = (chart: string): Value[] =>
  listValues(JSON.parse(read(`charts/${chart}/values.schema.json`)), []).filter(({ path }) => path[0] !== "global");

/** Values beside the defaults with which more, or less, is made. */
const variants: readonly SetValues[] = [
  {},
  { "agents.createNamespaces": false, "agents.namespaces": ["team-a", "team-b"], "rbac.scope": "ClusterRole" },
  { "router.storage.existingClaim": "kept", "operator.replicas": 2, "image.pullSecrets": ["login"] },
  { "admissionPolicies.enabled": false, "networkPolicy.enabled": false, "rbac.peopleRoles": false },
  {
    "metrics.serviceMonitor.enabled": true,
    "metrics.prometheusRule.enabled": true,
    "sessions.prePull.enabled": true,
    "networkPolicy.metricsFrom": [{ namespaceSelector: { matchLabels: { a: "b" } } }],
    "networkPolicy.channelFrom": [{ podSelector: { matchLabels: { a: "b" } } }],
    "router.tolerations": [{ operator: "Exists" }],
    "router.topologySpreadConstraints": [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule" }],
    "router.extraEnv": [{ name: "A", value: "b" }],
    commonLabels: { team: "chat" },
  },
];

const found = <T>(value: T | undefined, what: string): T => {
  assert.ok(value !== undefined, what);
  return value;
};
const named = (objects: readonly ChartObject[], kind: string, name: string): ChartObject =>
  found(
    objects.find((one) => one.kind === kind && one.metadata.name === name),
    `${kind} ${name}`,
  );

const workloadSchema = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      metadata: z.looseObject({ annotations: z.record(z.string(), z.string()).optional() }),
      spec: z.looseObject({
        containers: z.tuple([
          z.looseObject({ env: z.array(z.looseObject({ name: z.string(), value: z.string().optional() })) }),
        ]),
      }),
    }),
  }),
});

describe("the charts", { skip }, () => {
  let byDefault: readonly ChartObject[];
  before(async () => {
    byDefault = await render("copepod");
  });

  it("make what their own tests say", async () => {
    const { "helm-unittest": unittest } = await chartTools(tools);
    const { stdout } = await run(
      unittest,
      charts.map((chart) => join(chartsFolder, chart)),
    );
    assert.match(stdout, /Charts: +2 passed, 2 total/);
  });

  it("have a test that sets each value", () => {
    const silent = charts.flatMap((chart) => {
      const set = globSync(`charts/${chart}/tests/*_test.yaml`, { cwd: repository }).flatMap((path) =>
        pathsSet(read(path)),
      );
      const paths = valuesOf(chart).map(({ path }) => path.join("."));
      return paths.filter((path) => !set.some((one) => one === path || one.startsWith(`${path}.`)));
    });
    assert.deepEqual(silent, []);
  });

  it("refuse a value that does not exist, and one of another type, wherever it stands", async () => {
    const values = valuesOf("copepod");
    const sections = [...new Set(values.map(({ path }) => path.slice(0, -1).join(".")))];
    const unknown = sections.map((section) => [section === "" ? "odd" : `${section}.odd`, 1] as const);
    const odd = values.map(({ path, type }) => [path.join("."), type === "object" ? 1 : { odd: [] }] as const);
    const refusal = await renderText("copepod", Object.fromEntries(odd)).catch(String);
    for (const { path } of values) assert.match(refusal, new RegExp(`at '/${path.join("/")}'`));
    const other = await renderText("copepod", Object.fromEntries(unknown)).catch(String);
    assert.equal(other.match(/additional properties 'odd' not allowed/g)?.length, sections.length, other);
  });

  it("make objects that an API server knows, without a field that it does not know", async () => {
    const folder = await mkdtemp(join(tmpdir(), "schemas-"));
    try {
      const texts = await Promise.all(variants.map((values) => renderText("copepod", values)));
      const kinds = new Set(texts.flatMap(readObjects).map(({ kind }) => kind));
      await using plane = await startControlPlane();
      await writeSchemas(plane, folder, kinds);
      const { kubeconform } = await chartTools(tools);
      // Of Prometheus' operator, which the API server does not know.
      const args = ["-strict", "-summary", "-skip", "ServiceMonitor,PrometheusRule"];
      const checked = run(kubeconform, [...args, "-schema-location", schemaLocation(folder)]);
      checked.child.stdin?.end(texts.join("\n---\n"));
      const { stdout } = await checked.catch((error: { readonly stdout?: string }) => assert.fail(error.stdout));
      assert.match(stdout, /Valid: [1-9]\d+, Invalid: 0, Errors: 0, Skipped: 3/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it("give the programs an environment and settings that they take", () => {
    for (const [kind, name, schema] of [
      ["StatefulSet", "copepod-router", routerEnvironment],
      ["Deployment", "copepod-operator", operatorEnvironment],
    ] as const) {
      const [{ env }] = workloadSchema.parse(named(byDefault, kind, name)).spec.template.spec.containers;
      const given = Object.fromEntries(env.map((one) => [one.name, one.value ?? "from-the-pod"]));
      assert.deepEqual(
        Object.keys(given).filter((one) => !Object.hasOwn(schema.shape, one)),
        [],
      );
      schema.parse(given);
    }
    const { data } = z
      .looseObject({ data: z.record(z.string(), z.string()) })
      .parse(named(byDefault, "ConfigMap", "copepod-operator"));
    const settings = settingsSchema.parse(parse(data["operator.yaml"] ?? ""));
    const least = settingsSchema.parse({ images: settings.images, router: settings.router });
    // What the chart's values say by default is what the operator takes by default.
    const { session: _, ...decided } = settings;
    const { session: __, ...own } = least;
    assert.deepEqual(decided, own);
  });

  it("restart the operator for other settings, and the router for nothing of the sessions", async () => {
    const changed = await render("copepod", { "sessions.wakesPerNode": 9, "image.pullPolicy": "IfNotPresent" });
    const template = (objects: readonly ChartObject[], kind: string, name: string) =>
      workloadSchema.parse(named(objects, kind, name)).spec.template;
    assert.notDeepEqual(
      template(changed, "Deployment", "copepod-operator"),
      template(byDefault, "Deployment", "copepod-operator"),
    );
    assert.deepEqual(
      named(changed, "StatefulSet", "copepod-router"),
      named(byDefault, "StatefulSet", "copepod-router"),
    );
  });

  it("know the fields of an agent group: all but suspended ask for the use of its Credentials, at each place", async () => {
    const policy = named(byDefault, "ValidatingAdmissionPolicy", "copepod-credentials");
    const { validations } = z.looseObject({ validations: z.array(z.unknown()) }).parse(policy.spec);
    const crd = named(await render("copepod-crds"), "CustomResourceDefinition", "agentgroups.copepod.dev");
    const { properties } = crdSchema.parse(crd).spec.versions[0].schema.openAPIV3Schema.properties.spec;
    assert.equal(validations.length, z.looseObject({ maxItems: z.int() }).parse(properties.credentials).maxItems);
    const fields = Object.keys(properties).filter((field) => field !== "suspended");
    const asked = [...JSON.stringify(policy.spec).matchAll(/ object\.spec\.(\w+) != oldObject/g)].map(
      ([, field]) => field,
    );
    assert.deepEqual(asked.toSorted(), fields.toSorted());
  });

  it("have the version of the programs, whose images they name", () => {
    const { version } = z.looseObject({ version: z.string() }).parse(JSON.parse(read("package.json")));
    for (const chart of charts) {
      const about = z.looseObject({ version: z.string(), appVersion: z.string() });
      const { version: own, appVersion } = about.parse(parse(read(`charts/${chart}/Chart.yaml`)));
      assert.deepEqual([own, appVersion], [version, version]);
    }
  });

  it("come with samples that are valid", () => {
    const documents = globSync("charts/copepod/samples/*.yaml", { cwd: repository }).flatMap((path) =>
      parseAllDocuments(read(path)),
    );
    assert.notEqual(documents.length, 0);
    for (const document of documents) {
      const parsed = parseResource(document.toJS());
      assert.ok(parsed.ok, parsed.ok ? "" : describeIssues(parsed.issues));
    }
  });

  it("name a runbook for each alert, and only metrics that exist", async () => {
    const objects = await render("copepod", { "metrics.prometheusRule.enabled": true });
    const rule = z
      .looseObject({ groups: z.tuple([z.looseObject({ rules: z.array(alertSchema) })]) })
      .parse(named(objects, "PrometheusRule", "copepod").spec);
    const sources = ["router/src/metrics.ts", "kube/src/metrics/metrics.ts"].map(read).join("\n");
    for (const { alert, expr, annotations } of rule.groups[0].rules) {
      assert.ok(existsSync(join(repository, annotations.runbook_url)), annotations.runbook_url);
      assert.match(read(annotations.runbook_url), new RegExp(`^# ${alert}\n`));
      const metrics = [...expr.matchAll(/([a-z]\w+)\{/g)].map(([, metric = ""]) => metric);
      assert.notEqual(metrics.length, 0, expr);
      for (const metric of metrics) assert.ok(foreignMetrics.test(metric) || sources.includes(`"${metric}"`), metric);
    }
    const pages = globSync("docs/runbooks/Copepod*.md", { cwd: repository });
    assert.equal(pages.length, rule.groups[0].rules.length);
  });
});

const crdSchema = z.looseObject({
  spec: z.looseObject({
    versions: z.tuple([
      z.looseObject({
        schema: z.object({
          openAPIV3Schema: z.looseObject({
            properties: z.looseObject({ spec: z.looseObject({ properties: z.record(z.string(), z.unknown()) }) }),
          }),
        }),
      }),
    ]),
  }),
});
const alertSchema = z.looseObject({
  alert: z.string(),
  expr: z.string(),
  annotations: z.looseObject({ runbook_url: z.string() }),
});
/** Of Prometheus, of Node's runtime (prom-client) and of the kubelet. */
const foreignMetrics = /^(up$|nodejs_|kubelet_)/;

interface Value {
  readonly path: readonly string[];
  readonly type: unknown;
}

const valueSchema = z.looseObject({
  description: z.string().optional(),
  type: z.unknown(),
  properties: z.record(z.string(), z.unknown()).default({}),
});

function listValues(schema: unknown, path: readonly string[]): Value[] {
  const { description, type, properties } = valueSchema.parse(schema);
  if (description !== undefined) return [{ path, type }];
  return Object.entries(properties).flatMap(([name, below]) => listValues(below, [...path, name]));
}

/** Paths of values that a file of chart tests sets, such as `router.image.tag`. */
function pathsSet(yaml: string): string[] {
  const suiteSchema = z.looseObject({
    tests: z.array(z.looseObject({ set: z.record(z.string(), z.unknown()).default({}) })),
  });
  return parseAllDocuments(yaml).flatMap((document) =>
    suiteSchema
      .parse(document.toJS())
      .tests.flatMap(({ set }) => Object.entries(set).flatMap(([key, value]) => leaves(key, value))),
  );
}

function leaves(path: string, value: unknown): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  const below = Object.entries(value).flatMap(([key, inner]) => leaves(`${path}.${key}`, inner));
  return [path, ...below];
}
