import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { apiVersion } from "@copepod/crds/definition";
import { parseResource } from "@copepod/crds/parse";
import { rows } from "@copepod/crds/testing/rows";
import { z } from "zod";
import type { ControlPlane } from "../cluster/control-plane/control-plane.ts";
import { controlPlaneGate } from "../support/control-plane.ts";
import { until } from "../support/until.ts";
import {
  type Crd,
  crdsFolder,
  judge,
  pathOf,
  pluralOf,
  readCrds,
  replaceCrd,
  startWithKinds,
  toVerdict,
} from "./judge.ts";

const skip = await controlPlaneGate();

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.unknown().optional(),
});
type Stored = z.infer<typeof objectSchema>;

/** A field that only this test adds, so that it can see when a schema is in force. */
const marker = "upgraded";

const kindOf = (crd: Crd): string => z.looseObject({ kind: z.string() }).parse(crd.spec.names).kind;

type Json = Readonly<Record<string, unknown>>;
const asJson = (value: unknown): Json => z.record(z.string(), z.unknown()).parse(value ?? {});

/** The schema of the one version, changed. */
function withSchema(crd: Crd, change: (schema: Json) => Json): Crd {
  const [version] = z
    .tuple([z.looseObject({ schema: z.object({ openAPIV3Schema: z.unknown() }) })])
    .parse(crd.spec.versions);
  const openAPIV3Schema = change(asJson(version.schema.openAPIV3Schema));
  return { ...crd, spec: { ...crd.spec, versions: [{ ...version, schema: { openAPIV3Schema } }] } };
}

/** A schema in which the one at the end of the path is another. */
function changeField(schema: Json, [name, ...rest]: readonly string[], change: (field: Json) => Json): Json {
  if (name === undefined) return change(schema);
  const properties = asJson(schema.properties);
  return { ...schema, properties: { ...properties, [name]: changeField(asJson(properties[name]), rest, change) } };
}

describe("objects that the last release stored", { skip }, () => {
  let plane: ControlPlane;
  let stored: readonly Stored[];
  before(async () => {
    plane = await startWithKinds(readCrds(join(crdsFolder, "released")));
    const documents = rows.flatMap(({ document, refusal }, index) => {
      const { kind, metadata, ...more } = asJson(document);
      const name = `row-${index}`;
      return refusal === undefined ? [{ kind, metadata: { ...asJson(metadata), name }, ...more }] : [];
    });
    const answers = await Promise.all(
      documents.map(async ({ kind, ...more }) => await plane.call("POST", pathOf(pluralOf(kind)), { kind, ...more })),
    );
    // A row of a later release may be news to this one.
    stored = answers.flatMap(({ status, body }) => (status === 201 ? [objectSchema.parse(body)] : []));
    assert.ok(stored.length > documents.length / 2, `${stored.length} of ${documents.length} were stored`);
  });
  after(async () => await plane[Symbol.asyncDispose]());

  const read = async ({ kind, metadata }: Stored): Promise<Stored> =>
    objectSchema.parse((await plane.call("GET", pathOf(pluralOf(kind), metadata.name))).body);
  const write = async (object: Stored) =>
    toVerdict(await plane.call("PUT", pathOf(pluralOf(object.kind), object.metadata.name), object));

  let upgrades = 0;
  /** Resolves when the API server goes by it. */
  async function upgrade(crd: Crd): Promise<void> {
    const token = `upgrade ${++upgrades}`;
    const marked = withSchema(crd, (schema) => ({
      ...schema,
      properties: { ...asJson(schema.properties), [marker]: { type: "string", enum: [token] } },
    }));
    const { status, body } = await replaceCrd(plane, marked);
    assert.equal(status, 200, JSON.stringify(body));
    const probe = { apiVersion, kind: kindOf(crd), metadata: { name: "probe" }, [marker]: token };
    await until(
      `the new ${crd.metadata.name} is in force`,
      async () => !(await judge(plane, probe)).paths.includes(marker),
    );
  }

  it("are read, parsed and written as before under the kinds of now", async () => {
    const released = readCrds(join(crdsFolder, "released")).map(kindOf);
    for (const crd of readCrds(join(crdsFolder, "generated"))) if (released.includes(kindOf(crd))) await upgrade(crd);
    await Promise.all(
      stored.map(async (one) => {
        const object = await read(one);
        // Fields that are new since then have their defaults.
        assert.partialDeepStrictEqual(object.spec, one.spec);
        const { kind, metadata, spec } = object;
        const parsed = parseResource({ apiVersion, kind, metadata: { name: metadata.name }, spec });
        assert.ok(parsed.ok, JSON.stringify(parsed));
        assert.deepEqual(parsed.resource.spec, spec);
        assert.deepEqual((await write(object)).complaints, []);
      }),
    );
  });

  describe("show what the check of changes is for", () => {
    const document = {
      apiVersion,
      kind: "User",
      metadata: { name: "ada" },
      spec: { identities: ["a:1"], displayName: "Ada L" },
    };
    let object: Stored;
    let users: Crd;
    beforeEach(async () => {
      users = readCrds(join(crdsFolder, "generated")).find((crd) => kindOf(crd) === "User") ?? assert.fail("no User");
      await upgrade(users);
      await plane.call("DELETE", pathOf("users", "ada"));
      object = objectSchema.parse((await plane.call("POST", pathOf("users"), document)).body);
    });
    const upgradeSpec = async (change: (spec: Json) => Json) =>
      await upgrade(withSchema(users, (schema) => changeField(schema, ["spec"], change)));

    it("when a field becomes required, no other field can be changed any more", async () => {
      const email = { type: "string", maxLength: 10 };
      await upgradeSpec((spec) => ({
        ...changeField(spec, ["email"], () => email),
        required: ["identities", "email"],
      }));
      const changed = { ...object, spec: { ...document.spec, displayName: "Ada" } };
      assert.deepEqual((await write(changed)).paths, ["spec.email"]);
    });

    it("when a field goes, its value is lost with the next write", async () => {
      await upgradeSpec((spec) => {
        const { displayName: _, ...properties } = asJson(spec.properties);
        return { ...spec, properties };
      });
      const { complaints } = toVerdict(
        await plane.call("PUT", `${pathOf("users", "ada")}?fieldValidation=Ignore`, object),
      );
      assert.deepEqual(complaints, []);
      assert.deepEqual((await read(object)).spec, { identities: ["a:1"], roles: [] });
    });

    it("when a bound gets tighter, what is stored may stay, and can't be made again", async () => {
      await upgradeSpec((spec) => changeField(spec, ["displayName"], (field) => ({ ...field, maxLength: 4 })));
      const changed = { ...object, spec: { ...document.spec, identities: ["a:2"] } };
      assert.deepEqual((await write(changed)).complaints, []);
      assert.deepEqual((await judge(plane, { ...document, metadata: { name: "eve" } })).paths, ["spec.displayName"]);
    });
  });
});
