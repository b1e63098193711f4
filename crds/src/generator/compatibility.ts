import { isDeepStrictEqual } from "node:util";
import { validationsKey } from "../rule.ts";
import { fieldsOf, isSchema, type StructuralSchema } from "./structural.ts";

/** What of a CustomResourceDefinition decides about stored objects. */
export interface Crd {
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly conversion?: unknown;
    readonly names: {
      readonly kind: string;
      readonly listKind: string;
      readonly plural: string;
      readonly singular: string;
      readonly shortNames: readonly string[];
      readonly categories: readonly string[];
    };
    readonly versions: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly subresources: Readonly<Record<string, unknown>>;
      readonly schema: { readonly openAPIV3Schema: StructuralSchema };
    }[];
  };
}

/**
 * Why objects that were good under one CRD could be refused, lost or read in another way under the next: a line for each
 * place. That the API server lets an unchanged bad field through an update counts for nothing, since files have no such
 * mercy. What a program can't judge (a wider pattern, another rule) counts as a break.
 */
export function findBreaks(before: Crd, now: Crd | undefined): string[] {
  const { kind } = before.spec.names;
  if (!now) return [`${kind}: the kind is gone`];
  const versions = before.spec.versions.filter(({ served }) => served);
  return [
    ...compareNames(before.spec, now.spec).map((reason) => `${kind}: ${reason}`),
    ...versions.flatMap(({ name, subresources, schema: { openAPIV3Schema: old } }) => {
      const next = now.spec.versions.find((version) => version.served && version.name === name);
      if (!next) return [`${kind}: ${name} is no longer served`];
      const lost = Object.keys(subresources).filter((one) => !(one in next.subresources));
      return [
        ...lost.map((one) => `${kind}: the subresource ${one} is gone`),
        // The API server stores all in one version, and without a conversion drops what another version does not have.
        ...now.spec.versions.flatMap((one) =>
          compareSchemas(old, one.schema.openAPIV3Schema, one === next ? kind : `${kind} ${one.name}`),
        ),
      ];
    }),
  ];
}

function compareNames(before: Crd["spec"], now: Crd["spec"]): string[] {
  const fixed = [
    ["the group", before.group, now.group],
    ["the scope", before.scope, now.scope],
    ["the conversion", text(before.conversion), text(now.conversion)],
    ...(["kind", "listKind", "plural", "singular"] as const).map((name) => [name, before.names[name], now.names[name]]),
  ].flatMap(([what, old, next]) => (old === next ? [] : [`${what} is ${next}, was ${old}`]));
  const lost = (["shortNames", "categories"] as const).flatMap((name) =>
    before.names[name].filter((one) => !now.names[name].includes(one)).map((one) => `${name} no longer has ${one}`),
  );
  return [...fixed, ...lost];
}

/** Why a word of a schema that changed may hurt; undefined: it can't. */
type Judge = (before: unknown, now: unknown) => string | undefined;

const harmless: Judge = () => undefined;
const changed: Judge = (before, now) => `is ${text(now)}, was ${text(before)}`;
const removable: Judge = (before, now) => (now === undefined ? undefined : changed(before, now));
const onlyAdded: Judge = (before, now) => (before === undefined ? undefined : changed(before, now));
const notLess: Judge = (before, now) => (Number(now) >= Number(before) ? undefined : removable(before, now));
const notMore: Judge = (before, now) => (Number(now) <= Number(before) ? undefined : removable(before, now));

/** A word that does not stand here must not change. */
const judges: Readonly<Record<string, Judge>> = {
  description: harmless,
  // Looked at part by part.
  properties: harmless,
  items: harmless,
  required: harmless,
  [validationsKey]: harmless,
  maxLength: notLess,
  maxItems: notLess,
  maximum: notLess,
  minLength: notMore,
  minItems: notMore,
  minimum: notMore,
  pattern: removable,
  format: (before, now) => (before === "int32" && now === "int64" ? undefined : removable(before, now)),
  enum: (before, now) =>
    list(before).length > 0 && list(before).every((value) => list(now).includes(value))
      ? undefined
      : removable(before, now),
  nullable: onlyAdded,
  "x-kubernetes-preserve-unknown-fields": onlyAdded,
};

function compareSchemas(before: StructuralSchema, now: StructuralSchema, path: string): string[] {
  const words = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  const own = words.flatMap((word) => {
    if (isDeepStrictEqual(before[word], now[word])) return [];
    const reason = (judges[word] ?? changed)(before[word], now[word]);
    return reason === undefined ? [] : [`${path}: ${word} ${reason}`];
  });
  const items =
    isSchema(before.items) && isSchema(now.items) ? compareSchemas(before.items, now.items, `${path}[]`) : [];
  return [...own, ...items, ...compareFields(before, now, path), ...findNewRules(before, now, path)];
}

function compareFields(before: StructuralSchema, now: StructuralSchema, path: string): string[] {
  const old = fieldsOf(before);
  const fresh = fieldsOf(now);
  const kept = Object.entries(old).flatMap(([name, field]) => {
    const next = fresh[name];
    return next ? compareSchemas(field, next, `${path}.${name}`) : [`${path}.${name}: the field is gone`];
  });
  const demanded = list(now.required)
    .filter((name) => !list(before.required).includes(name) && fresh[String(name)]?.default === undefined)
    .map((name) => `${path}.${String(name)}: is required, was not`);
  const wasOpen = before["x-kubernetes-preserve-unknown-fields"] === true;
  const narrowed = Object.keys(fresh).filter((name) => wasOpen && !(name in old));
  return [...kept, ...demanded, ...narrowed.map((name) => `${path}.${name}: was a free field, and has a schema now`)];
}

/** What holds wherever a field is absent. A "?" outside of texts could turn it round; texts in three quotes hide one. */
const unlessAbsent = /^!has\(self\.(\w+)\) \|\| (?!.*('''|"""))([^?'"]|'[^'\\\n]*'|(?<!r)"([^"\\\n]|\\.)*")*$/s;

/** A rule that holds wherever a new field is absent says nothing about old objects. */
function findNewRules(before: StructuralSchema, now: StructuralSchema, path: string): string[] {
  return rulesOf(now).flatMap((rule) => {
    const field = unlessAbsent.exec(rule)?.[1];
    const isNew = field !== undefined && !(field in fieldsOf(before)) && fieldsOf(now)[field]?.default === undefined;
    return isNew || rulesOf(before).includes(rule) ? [] : [`${path}: has the new rule ${rule}`];
  });
}

const rulesOf = (schema: StructuralSchema): string[] =>
  list(schema[validationsKey]).flatMap((one) => (isSchema(one) ? [String(one.rule)] : []));

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const text = (value: unknown): string => (value === undefined ? "not set" : JSON.stringify(value));
