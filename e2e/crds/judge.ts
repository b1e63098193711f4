import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { apiVersion } from "@copepod/crds/definition";
import { definitions } from "@copepod/crds/kinds";
import { parse } from "yaml";
import { z } from "zod";
import type { Answer, ControlPlane } from "../cluster/control-plane/control-plane.ts";
import { startControlPlane } from "../support/control-plane.ts";
import { until } from "../support/until.ts";

export const crdsFolder = join(import.meta.dirname, "../../crds");

const crdSchema = z.looseObject({
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({ names: z.looseObject({ plural: z.string() }) }),
});
export type Crd = z.infer<typeof crdSchema>;

const crdsPath = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const conditionsSchema = z.object({
  status: z.object({
    conditions: z
      .array(z.object({ type: z.string(), status: z.string(), message: z.string().default("") }))
      .default([]),
  }),
});

/** The CRDs of a folder. */
export function readCrds(folder: string): Crd[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => readCrd(readFileSync(join(folder, file), "utf8")));
}

export const readCrd = (yaml: string): Crd => crdSchema.parse(parse(yaml));

/** A control plane that serves these kinds. @param flags more of kube-apiserver */
export async function startWithKinds(crds: readonly Crd[], flags: readonly string[] = []): Promise<ControlPlane> {
  const plane = await startControlPlane(flags);
  await Promise.all(
    crds.map(async (crd) => {
      const made = await plane.call("POST", crdsPath, crd);
      assert.equal(made.status, 201, JSON.stringify(made.body));
      const { plural } = crd.spec.names;
      await until(`${plural} are served`, async () => (await plane.call("GET", pathOf(plural))).status === 200);
    }),
  );
  return plane;
}

/** What the API server says about a CRD, such as `Established`, with what is true of it. */
export async function crdConditions(plane: ControlPlane, name: string) {
  const { body } = await plane.call("GET", `${crdsPath}/${name}`);
  return conditionsSchema.parse(body).status.conditions;
}

/** Takes the place of the one of the same name. */
export async function replaceCrd(plane: ControlPlane, crd: Crd): Promise<Answer> {
  const path = `${crdsPath}/${crd.metadata.name}`;
  const { metadata } = z.looseObject({ metadata: z.looseObject({}) }).parse((await plane.call("GET", path)).body);
  return await plane.call("PUT", path, { ...crd, metadata: { ...metadata, ...crd.metadata } });
}

/** Path of the objects of a kind in the namespace `default`. */
export const pathOf = (plural: string, name?: string): string =>
  `/apis/${apiVersion}/namespaces/default/${plural}${name === undefined ? "" : `/${name}`}`;

export const pluralOf = (kind: unknown): string => {
  const plural = definitions.find((one) => one.kind === kind)?.plural;
  assert.ok(plural, `no kind ${String(kind)}`);
  return plural;
};

export interface Verdict {
  readonly accepted: boolean;
  /** As it would be stored. */
  readonly object: unknown;
  /** Where the API server sees a problem, once each. */
  readonly paths: readonly string[];
  readonly complaints: readonly string[];
}

const statusSchema = z.object({
  message: z.string(),
  details: z
    .object({
      causes: z.array(z.object({ field: z.string().default(""), message: z.string().default("") })).default([]),
    })
    .default({ causes: [] }),
});

/** Stands in the place of a path when a rule was not looked at, for what else is wrong. */
const noField = "<nil>";

/** What the API server would make of a document, without storing it. */
export async function judge(
  plane: ControlPlane,
  document: { readonly kind?: unknown; readonly [field: string]: unknown },
  plural = pluralOf(document.kind),
): Promise<Verdict> {
  return toVerdict(await plane.call("POST", `${pathOf(plural)}?dryRun=All&fieldValidation=Strict`, document));
}

export function toVerdict({ status, body }: Answer): Verdict {
  if (status < 300) return { accepted: true, object: body, paths: [], complaints: [] };
  const { message, details } = statusSchema.parse(body);
  const causes = details.causes.filter(({ field }) => field !== noField);
  // A decoder complains in words only.
  const unknown = [...message.matchAll(/unknown field "([^"]*)"/g)].map(([, field = ""]) => field);
  const metadata = /into Go struct field ObjectMeta\.(\w+)/.exec(message)?.[1];
  const fields = [...causes.map(({ field }) => field), ...unknown, ...(metadata ? [`metadata.${metadata}`] : [])];
  return {
    accepted: false,
    object: undefined,
    paths: [...new Set(fields)],
    complaints: details.causes.length === 0 ? [message] : causes.map((cause) => cause.message),
  };
}
