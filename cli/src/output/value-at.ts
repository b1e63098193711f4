/** A step of a path: a field, or the entry of a list whose field has a value. */
const stepPattern = /\.([^.[]+)|\[\?\(@\.(\w+)=="([^"]*)"\)\]/g;

/**
 * What an object has at a path, as printer columns name it.
 * @param path such as `.spec.group`, or `.status.conditions[?(@.type=="Ready")].status`
 */
export function valueAt(object: unknown, path: string): unknown {
  let value = object;
  for (const [, field, key, wanted] of path.matchAll(stepPattern)) {
    value = field === undefined ? entryOf(value, key ?? "", wanted) : fieldOf(value, field);
  }
  return value;
}

/** The same, as a cell of a table. */
export function textAt(object: unknown, path: string): string | undefined {
  const value = valueAt(object, path);
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return value.join(",");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function fieldOf(value: unknown, field: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Reflect.get(value, field) ?? undefined;
}

const entryOf = (value: unknown, key: string, wanted: string | undefined): unknown =>
  Array.isArray(value) ? value.find((entry) => fieldOf(entry, key) === wanted) : undefined;
