import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { apiVersion } from "@copepod/crds/definition";
import { definitions } from "@copepod/crds/kinds";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { findBinaries } from "../cluster/binaries/find.ts";
import type { ControlPlane } from "../cluster/control-plane/control-plane.ts";
import { controlPlaneGate } from "../support/control-plane.ts";
import { crdConditions, crdsFolder, judge, pathOf, pluralOf, readCrds, startWithKinds, toVerdict } from "./judge.ts";

const skip = await controlPlaneGate();
const samplesFolder = join(crdsFolder, "samples");
const repository = join(crdsFolder, "..");
const kubectlTimeoutMs = 30_000;

const listedSchema = z.object({
  resources: z.array(
    z.object({
      name: z.string(),
      shortNames: z.array(z.string()).default([]),
      categories: z.array(z.string()).default([]),
    }),
  ),
});
const objectSchema = z.looseObject({
  kind: z.string(),
  metadata: z.looseObject({
    name: z.string(),
    generation: z.number().default(0),
    resourceVersion: z.string().default(""),
  }),
  spec: z.looseObject({}),
  status: z.looseObject({}).optional(),
});
type KubeObject = z.infer<typeof objectSchema>;

interface Field {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Field>>;
  readonly items?: Field;
}
const fieldSchema: z.ZodType<Field> = z.lazy(() =>
  z.object({
    description: z.string().exactOptional(),
    properties: z.record(z.string(), fieldSchema).exactOptional(),
    items: fieldSchema.exactOptional(),
  }),
);

describe("Copepod's kinds on a real API server", { skip }, () => {
  const crds = readCrds(join(crdsFolder, "generated"));
  let plane: ControlPlane;
  let kubectl: (...args: string[]) => Promise<string>;
  /** What kubectl said when it applied the samples for the first time. */
  let first: string;

  before(async () => {
    const found = findBinaries(["kubectl"], { env: process.env, say: () => {}, signal: AbortSignal.timeout(60_000) });
    plane = await startWithKinds(crds);
    const { kubectl: program } = await found;
    kubectl = async (...args) => {
      const common = ["--kubeconfig", plane.kubeconfig, "--cache-dir", join(plane.folder, "kubectl-cache")];
      const { stdout } = await promisify(execFile)(program, [...common, ...args], { timeout: kubectlTimeoutMs });
      return stdout;
    };
    first = await kubectl("apply", "-f", samplesFolder);
  });
  after(async () => await plane[Symbol.asyncDispose]());

  const read = async (plural: string, name: string): Promise<KubeObject> =>
    objectSchema.parse((await plane.call("GET", pathOf(plural, name))).body);
  const readSample = (file: string): KubeObject => {
    const [document] = parseAllDocuments(readFileSync(join(samplesFolder, file), "utf8"));
    return objectSchema.parse(document?.toJS());
  };

  for (const { metadata } of crds) {
    it(`${metadata.name} is established, and has nothing that the API server complains about`, async () => {
      const conditions = await crdConditions(plane, metadata.name);
      const states = conditions.map(({ type, status }) => `${type}=${status}`).sort();
      assert.deepEqual(states, ["Established=True", "NamesAccepted=True"], JSON.stringify(conditions));
    });
  }

  it("have short names, one category, and a status apart", async () => {
    const { resources } = listedSchema.parse((await plane.call("GET", `/apis/${apiVersion}`)).body);
    for (const { plural, shortName } of definitions) {
      const own = resources.find(({ name }) => name === plural);
      assert.deepEqual([own?.shortNames, own?.categories], [[shortName], ["copepod"]]);
      assert.ok(
        resources.some(({ name }) => name === `${plural}/status`),
        plural,
      );
    }
  });

  describe("the samples", () => {
    it("are applied, and applied again without a change, by kubectl and by the API server", async () => {
      assert.equal(first.match(/ created$/gm)?.length, definitions.length, first);
      const again = await kubectl("apply", "-f", samplesFolder);
      assert.equal(again.match(/ unchanged$/gm)?.length, definitions.length, again);
      // Ends with an error when there is a difference.
      assert.equal(await kubectl("diff", "-f", samplesFolder), "");

      const serverSide = ["apply", "--server-side", "--field-manager", "gitops", "-f", samplesFolder];
      await kubectl(...serverSide, "--force-conflicts");
      const stored = await readAll();
      await kubectl(...serverSide);
      assert.deepEqual(await readAll(), stored);
    });

    const readAll = async () =>
      await Promise.all(
        readdirSync(samplesFolder).map(async (file) => {
          const { kind, metadata } = readSample(file);
          const { generation, resourceVersion } = (await read(pluralOf(kind), metadata.name)).metadata;
          return { kind, generation, resourceVersion };
        }),
      );

    it("of the docs are accepted too", async () => {
      const documents = globSync("{README.md,docs/**/*.md}", { cwd: repository }).flatMap((file) =>
        [...readFileSync(join(repository, file), "utf8").matchAll(/^```yaml\n(.*?)^```$/gms)]
          .flatMap(([, yaml = ""]) => parseAllDocuments(yaml).map((document): unknown => document.toJS()))
          .flatMap((document) => {
            const { success, data } = objectSchema.safeParse(document);
            return success && data.apiVersion === apiVersion ? [data] : [];
          }),
      );
      assert.ok(documents.length > definitions.length, `${documents.length} documents`);
      for (const document of documents) {
        // The samples have some of the names already.
        const { complaints } = await judge(plane, { ...document, metadata: { name: "documented" } });
        assert.deepEqual(complaints, [], JSON.stringify(document));
      }
    });
  });

  it("are listed with their columns", async () => {
    const session = readSample("session.yaml");
    const name = session.metadata.name;
    const status = {
      phase: "Waking",
      pending: 2,
      oldestPendingAt: new Date(Date.now() - 120_000).toISOString(),
      reason: "no free place",
      podName: "helper-1",
    };
    await writeStatus("sessions", name, status);
    await writeStatus("channels", "terminal", { state: "degraded", detail: "the platform is slow" });
    const rows = (await kubectl("get", "copepod")).split("\n").map((line) =>
      line
        .trim()
        .split(/\s{2,}/)
        .join(" | "),
    );
    const has = (row: RegExp) =>
      assert.ok(
        rows.some((line) => row.test(line)),
        `${row} in\n${rows.join("\n")}`,
      );
    has(/^NAME \| GROUP \| PHASE \| PENDING \| OLDEST \| LAST-ACTIVE \| REASON \| POD \| AGE$/);
    has(
      /^session\S+\/helper-0123456789ab \| helper \| Waking \| 2 \| (2m\d*s?|1\d\ds) \| no free place \| helper-1 \| \w+$/,
    );
    has(/^NAME \| PROVIDER \| SESSIONS \| AWAKE \| WAITING \| READY \| REASON \| AGE$/);
    has(/^NAME \| TYPE \| STATE \| DETAIL \| AGE$/);
    has(/^channel\S+\/terminal \| terminal \| degraded \| the platform is slow \| \w+$/);
    has(/^NAME \| CHANNEL \| GROUP \| ACTION \| PRIORITY \| AGE$/);
    has(/^wiring\S+ \| terminal \| helper \| Answer \| 0 \| \w+$/);
    has(/^NAME \| DISPLAY-NAME \| IDENTITIES \| AGE$/);
    has(/^user\S+\/ada \| Ada \| \["terminal:ada"\] \| \w+$/);
    has(/^NAME \| API \| BASE-URL \| SECRET \| REVISION \| READY \| REASON \| AGE$/);
    has(/^NAME \| SIZE \| USED-BY \| READY \| REASON \| AGE$/);
  });

  const writeStatus = async (plural: string, name: string, status: object): Promise<KubeObject> => {
    const object = await read(plural, name);
    const answer = await plane.call("PUT", `${pathOf(plural, name)}/status`, { ...object, status });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    return objectSchema.parse(answer.body);
  };

  it("keep spec and status apart: a write to one leaves the other as it is", async () => {
    const before = await read("agentgroups", "helper");
    const changed = { ...before, spec: { ...before.spec, timeZone: "UTC" }, status: { sessions: 3, awake: 1 } };
    const afterStatus = objectSchema.parse(
      (await plane.call("PUT", `${pathOf("agentgroups", "helper")}/status`, changed)).body,
    );
    assert.deepEqual(afterStatus.spec, before.spec);
    assert.deepEqual(afterStatus.status, { sessions: 3, awake: 1 });
    assert.equal(afterStatus.metadata.generation, before.metadata.generation);

    const wish = { ...afterStatus, spec: changed.spec, status: { sessions: 9 } };
    const afterSpec = objectSchema.parse((await plane.call("PUT", pathOf("agentgroups", "helper"), wish)).body);
    assert.equal(afterSpec.spec.timeZone, "UTC");
    assert.deepEqual(afterSpec.status, { sessions: 3, awake: 1 });
    assert.equal(afterSpec.metadata.generation, before.metadata.generation + 1);
  });

  it("merge lists of named things by their names: two appliers own one MCP server each", async () => {
    const applyServer = async (manager: string, command: string) => {
      const tools = { mcpServers: [{ name: manager, command, env: [{ name: "OF", value: manager }] }] };
      const file = join(plane.folder, `${manager}.json`);
      writeFileSync(
        file,
        JSON.stringify({ apiVersion, kind: "AgentGroup", metadata: { name: "shared" }, spec: { tools } }),
      );
      await kubectl("apply", "--server-side", "--field-manager", manager, "-f", file);
    };
    await applyServer("ada", "one");
    await applyServer("eve", "two");
    await applyServer("ada", "three");
    const { tools } = (await read("agentgroups", "shared")).spec;
    const { mcpServers } = z
      .object({ mcpServers: z.array(z.object({ name: z.string(), command: z.string() })) })
      .parse(tools);
    assert.deepEqual(mcpServers, [
      { name: "ada", command: "three" },
      { name: "eve", command: "two" },
    ]);
  });

  it("refuse a status that says nonsense", async () => {
    const object = await read("agentgroups", "helper");
    const answer = await plane.call("PUT", `${pathOf("agentgroups", "helper")}/status`, {
      ...object,
      status: { awake: -1 },
    });
    assert.deepEqual(toVerdict(answer).paths, ["status.awake"]);
  });

  describe("a session", () => {
    const change = async (changes: object) => {
      const object = await read("sessions", readSample("session.yaml").metadata.name);
      const changed = { ...object, spec: { ...object.spec, ...changes } };
      return toVerdict(await plane.call("PUT", `${pathOf("sessions", object.metadata.name)}?dryRun=All`, changed));
    };
    const refused: Readonly<Record<string, readonly [object, string]>> = {
      "get another group": [{ group: "other" }, "group and key never change"],
      "belong to something else": [{ key: { kind: "Group" } }, "group and key never change"],
      "go back to an epoch": [{ wake: { wanted: true, epoch: 2 } }, "wake.epoch only grows"],
      "forget its epoch": [{ wake: undefined }, "wake.epoch only grows"],
    };
    for (const [what, [changes, sentence]] of Object.entries(refused)) {
      it(`may not ${what}`, async () => {
        const { paths, complaints } = await change(changes);
        assert.deepEqual(paths, ["spec"]);
        assert.ok(
          complaints.some((one) => one.endsWith(`: ${sentence}`)),
          complaints.join("\n"),
        );
      });
    }
    it("may be put to sleep, and woken with a greater epoch", async () => {
      assert.deepEqual((await change({ wake: { wanted: false, epoch: 3 } })).complaints, []);
      assert.deepEqual((await change({ wake: { wanted: true, epoch: 4 } })).complaints, []);
    });
  });

  for (const { plural, kind } of definitions) {
    it(`explain every field of ${kind}`, async () => {
      const crd = crds.find(({ spec }) => spec.names.plural === plural) ?? assert.fail(plural);
      const { versions } = z
        .object({ versions: z.array(z.object({ schema: z.object({ openAPIV3Schema: fieldSchema }) })) })
        .parse(crd.spec);
      const root = versions[0]?.schema.openAPIV3Schema ?? {};
      for (const [path, fields] of objectsIn({ ...root, properties: withoutMetadata(root) }, plural)) {
        const page = oneLine(await kubectl("explain", path));
        for (const [name, { description = "" }] of Object.entries(fields)) {
          assert.ok(page.includes(` ${name} <`), `${path} has ${name}`);
          assert.ok(description !== "" && page.includes(oneLine(description)), `${path}.${name}: ${page}`);
        }
      }
    });
  }
});

/** The API server has its own words about the fields that every object has. */
const withoutMetadata = ({ properties = {} }: Field): Readonly<Record<string, Field>> =>
  Object.fromEntries(Object.entries(properties).filter(([name]) => ["spec", "status"].includes(name)));

/** Paths of objects with their fields, those in lists too, as kubectl writes them. */
function objectsIn(schema: Field, path: string): [string, Readonly<Record<string, Field>>][] {
  const { properties } = schema.items ?? schema;
  if (properties === undefined || Object.keys(properties).length === 0) return [];
  return [
    [path, properties],
    ...Object.entries(properties).flatMap(([name, field]) => objectsIn(field, `${path}.${name}`)),
  ];
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ");
