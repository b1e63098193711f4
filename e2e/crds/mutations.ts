import { pattern } from "@copepod/crds/testing/documents";
import type { Row } from "@copepod/crds/testing/rows";
import fc from "fast-check";

type Path = readonly (string | number)[];

/** What a value may become: of each type, at the edges of bounds, and what means something elsewhere. */
const values: readonly unknown[] = [
  ...[null, true, false, [], {}, ["x"], ["x", "x"], [null], { name: "x" }, { x: 1 }],
  ...[0, -1, 1, 1.5, 101, 1_000_001, 2 ** 31, 2 ** 53, -(2 ** 40)],
  ...["", " ", "x", "X", "0", "é", "😀", "\n", "\0", "\ud800", "x".repeat(64), "x".repeat(600)],
  ...[
    "1s",
    ".",
    "(",
    "/x",
    "a:b",
    "GET",
    "{secret}",
    "https://a.example",
    "Mention",
    "Owner",
    "Thread",
    "v1",
    "copepod",
  ],
];
const keys = ["x", "name", "kind", "toString", "pattern", "mode", "group", "private", "hosts"];
/** Longer documents are only slow. */
const maxDocumentLength = 3_000;

/** Accepted documents with one or two changes at random places. Kind, version and namespace stay: a call names those. */
export function mutations(rows: readonly Row[]): fc.Arbitrary<unknown> {
  const texts = rows
    .filter(({ refusal }) => refusal === undefined)
    .map(({ document }) => JSON.stringify(document))
    .filter((text) => text.length < maxDocumentLength);
  const change = fc.record({
    place: fc.nat(),
    way: fc.constantFrom("replace", "replace", "replace", "remove", "repeat", "add"),
    value: fc.constantFrom(...values),
    key: fc.constantFrom(...keys),
  });
  return fc
    .tuple(fc.constantFrom(...texts), fc.array(change, { minLength: 1, maxLength: 2 }))
    .map(([text, changes]) => changes.reduce<unknown>(applyChange, JSON.parse(text)));
}

/** Wirings with patterns made of what RE2 and JavaScript read alike, and of what they don't. */
export function patterns(): fc.Arbitrary<unknown> {
  const parts = [
    ...["a", "b", "é", "😀", " ", "\n", "-", ",", "'", "0", "^", "$", ".", "|", "?", "*", "+", "??", "*?", "(a)"],
    ...["(", ")", "[", "]", "{", "}", "\\", "(?:", "(?i)", "(?=", "(?P<n>a)", "(?<n>a)", "&&", "--"],
    ...["{2}", "{1,16}", "{17}", "{3,2}", "{,3}", "{2,}", "[a-z]", "[^a]", "[[:alpha:]]", "[]a]", "[^]", "[z-a]"],
    ...["\\d", "\\w", "\\b", "\\B", "\\p{L}", "\\u0041", "\\x41", "\\1", "[\\w-]", "[\\b]", "\\-", "\\/", "\\_"],
    ...["\\ ", "\\é", "\\Q", "\\A", "\\z", "\\n", "\\0", "\\cA"],
  ];
  return fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 6 }).map((some) => pattern(some.join("")));
}

interface Change {
  readonly place: number;
  readonly way: "replace" | "remove" | "repeat" | "add";
  readonly value: unknown;
  readonly key: string;
}

function applyChange(document: unknown, { place, way, value, key }: Change): unknown {
  const places = listPlaces(document).filter(isChangeable);
  const path = places[place % places.length];
  return path === undefined ? document : update(document, path, (old) => changed(old, { way, value, key }));
}

/** @returns what takes the place of a value; undefined: nothing does */
function changed(old: unknown, { way, value, key }: Omit<Change, "place">): unknown {
  switch (way) {
    case "replace":
      return value;
    case "remove":
      return undefined;
    case "repeat":
      return Array.isArray(old) ? [...old, old[0] ?? value] : [old];
    case "add":
      return isMap(old) ? { ...old, [key]: value } : value;
  }
}

const isChangeable = ([first, second]: Path): boolean =>
  (first === "metadata" && second !== undefined && second !== "namespace") || first === "spec" || first === "status";

function listPlaces(value: unknown, path: Path = []): Path[] {
  if (Array.isArray(value)) return [path, ...value.flatMap((item, index) => listPlaces(item, [...path, index]))];
  if (!isMap(value)) return [path];
  return [path, ...Object.entries(value).flatMap(([key, field]) => listPlaces(field, [...path, key]))];
}

function update(value: unknown, [head, ...rest]: Path, change: (old: unknown) => unknown): unknown {
  if (head === undefined) return change(value);
  if (Array.isArray(value)) {
    const items = value.map((item, index) => (index === head ? update(item, rest, change) : item));
    return items.filter((item) => item !== undefined);
  }
  return isMap(value) ? { ...value, [head]: update(value[head], rest, change) } : value;
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
