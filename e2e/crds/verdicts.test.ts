import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { crdYaml } from "@copepod/crds/generator/crd";
import { parseResource, pathText } from "@copepod/crds/parse";
import { timerDefinition, timerRows } from "@copepod/crds/testing/over-texts";
import { serverPath } from "@copepod/crds/testing/paths";
import { type Row, rows } from "@copepod/crds/testing/rows";
import fc from "fast-check";
import { z } from "zod";
import type { ControlPlane } from "../cluster/control-plane/control-plane.ts";
import { controlPlaneGate } from "../support/control-plane.ts";
import { crdsFolder, judge, readCrd, readCrds, startWithKinds, type Verdict } from "./judge.ts";
import { mutations, patterns } from "./mutations.ts";

const skip = await controlPlaneGate();
/** Calls at the same time. */
const concurrency = 8;
/** Documents of each property. */
const runs = 300;
const seed = 20_261;

const documentSchema = z.looseObject({ kind: z.unknown() });
/** As both ends get it. */
const asJson = (document: unknown) => documentSchema.parse(JSON.parse(JSON.stringify(document)));
const storedSchema = z.looseObject({
  metadata: z.looseObject({ labels: z.unknown().optional(), annotations: z.unknown().optional() }),
  spec: z.unknown(),
});

describe("the API server, and a file", { skip }, () => {
  let plane: ControlPlane;
  const verdicts = new Map<string, Verdict>();
  before(async () => {
    plane = await startWithKinds([...readCrds(`${crdsFolder}/generated`), readCrd(crdYaml(timerDefinition))]);
    const waiting = [...rows];
    const work = async () => {
      for (let row = waiting.pop(); row; row = waiting.pop()) {
        verdicts.set(row.name, await judge(plane, documentSchema.parse(row.document)));
      }
    };
    await Promise.all(Array.from({ length: concurrency }, work));
  });
  after(async () => await plane[Symbol.asyncDispose]());

  for (const { name, document, refusal } of rows) {
    const verdict = () => verdicts.get(name) ?? assert.fail("was not judged");
    if (refusal === undefined) {
      it(`take ${name}, and make the same of it`, () => assertSame(verdict(), asJson(document)));
    } else {
      it(`refuse ${name} at the same path`, () => assertRefused(verdict(), refusal));
    }
  }

  describe("with a rule over texts of several fields", () => {
    for (const { name, document, refusal } of timerRows) {
      it(`${refusal ? "refuse, at the same path," : "take"} ${name}`, async () => {
        const verdict = await judge(plane, documentSchema.parse(document), timerDefinition.plural);
        if (refusal === undefined) assert.deepEqual(verdict.complaints, []);
        else assertRefused(verdict, refusal);
      });
    }
  });

  const agree = async (documents: fc.Arbitrary<unknown>) =>
    await fc.assert(
      fc.asyncProperty(documents, async (given) => {
        const document = asJson(given);
        const verdict = await judge(plane, document);
        if (verdict.accepted) assertSame(verdict, document);
        else assertRefusedAlike(verdict, document);
      }),
      { seed, numRuns: runs },
    );

  it("agree on documents that nobody thought of", async () => await agree(mutations(rows)));
  it("agree on patterns that nobody thought of", async () => await agree(patterns()));
});

function assertRefused({ accepted, paths, complaints }: Verdict, { path, reason }: NonNullable<Row["refusal"]>): void {
  assert.equal(accepted, false);
  assert.deepEqual(paths, [path], complaints.join("\n"));
  const isSaid = typeof reason !== "string" || complaints.some((one) => says(one, reason));
  assert.ok(isSaid, complaints.join("\n"));
}

/** The API server puts the value before the sentence, and what CEL's own functions say. */
const says = (complaint: string, sentence: string): boolean =>
  complaint.endsWith(`: ${sentence}`) && complaint.startsWith("Invalid value: ");

function assertSame(verdict: Verdict, document: unknown): void {
  assert.deepEqual(verdict.paths, [], verdict.complaints.join("\n"));
  const parsed = parseResource(document);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const { metadata, spec } = storedSchema.parse(verdict.object);
  const { labels, annotations } = parsed.resource.metadata;
  assert.deepEqual(spec, parsed.resource.spec);
  // The API server leaves out what is empty.
  assert.deepEqual(metadata.labels ?? {}, labels ?? {});
  assert.deepEqual(metadata.annotations ?? {}, annotations ?? {});
}

/**
 * With several problems, each end may leave out some. The API server looks at no rule of the document where a type, a
 * choice, a format or what is required is wrong, or something is too long; a pattern, a least length and the bounds of a
 * number keep it from none.
 */
function assertRefusedAlike({ paths, complaints }: Verdict, document: unknown): void {
  const parsed = parseResource(document);
  assert.ok(!parsed.ok, complaints.join("\n"));
  const own = parsed.issues.map((issue) => serverPath(pathText(issue.path)));
  // Where a text should be and an object is, the API server first complains about what is in the object.
  const isSame = (path: string) =>
    own.some((one) => one === path || path.startsWith(`${one}.`) || path.startsWith(`${one}[`));
  assert.ok(paths.some(isSame), `${complaints.join("\n")}\nhere: ${own.join(", ")}`);
}
