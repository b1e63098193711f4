import { type Document, isMap, isNode, isScalar, parseAllDocuments, stringify, type YAMLMap } from "yaml";

/** Keeps long lines and short lists as people wrote them. */
const style = { lineWidth: 0, flowCollectionPadding: false } as const;

export const newDocument = (value: object): string => stringify(value, style);

/**
 * Replaces one document of a file that parses. Comments stay with what stays; the other documents are not touched.
 * @param index as `parseAllDocuments` counts
 */
export function rewriteDocument(text: string, index: number, value: object): string {
  const documents = [...parseAllDocuments(text)];
  const document = documents[index];
  if (!document) throw new Error(`the file has no document ${index}`);
  const start = index === 0 ? 0 : endOf(documents[index - 1]);
  const end = endOf(document);
  return text.slice(0, start) + print(document, value) + text.slice(end);
}

function print(document: Document, value: object): string {
  try {
    assign(document, value);
    return document.toString(style);
  } catch {
    // An alias has lost its anchor: the text can't be kept, what it says can.
    return `---\n${newDocument(value)}`;
  }
}

const endOf = (document: Document | undefined): number => document?.range?.[2] ?? 0;

function assign(document: Document, value: object): void {
  if (isMap(document.contents)) assignMap(document, document.contents, value);
  else document.contents = document.createNode(value) as typeof document.contents;
}

function assignMap(document: Document, map: YAMLMap, value: object): void {
  const wanted = new Map(Object.entries(value));
  map.items = map.items.filter((pair) => isScalar(pair.key) && wanted.has(String(pair.key.value)));
  for (const [key, item] of wanted) {
    if (item !== undefined) assignField(document, map, { key, item });
  }
}

function assignField(document: Document, map: YAMLMap, field: { key: string; item: unknown }): void {
  const present = map.get(field.key, true);
  if (isMap(present) && isPlainObject(field.item)) assignMap(document, present, field.item);
  else if (isNode(present) && isEqual(present.toJS(document), field.item)) return;
  else if (isScalar(present) && !isObject(field.item)) present.value = field.item;
  else map.set(field.key, document.createNode(field.item));
}

const isEqual = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right);

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

const isPlainObject = (value: unknown): value is object => isObject(value) && !Array.isArray(value);
