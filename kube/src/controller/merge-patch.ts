import { isDeepStrictEqual } from "node:util";

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The merge patch that makes `after` of `before`; lists are replaced as a whole.
 * @returns undefined when both say the same: then there is nothing to write, or a controller would wake itself for ever
 */
export function mergePatchOf(before: Json, after: Json): Json | undefined {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const changed = [...names].flatMap((name) => {
    const value = changeOf(before[name], after[name]);
    return value === undefined ? [] : [[name, value] as const];
  });
  return changed.length === 0 ? undefined : Object.fromEntries(changed);
}

/** @returns undefined without a change, null for what is to be removed */
function changeOf(before: unknown, after: unknown): unknown {
  // A patch can't tell null from what is not there, and neither does this.
  if (after === undefined || after === null) return before === undefined || before === null ? undefined : null;
  if (isObject(before) && isObject(after)) return mergePatchOf(before, after);
  // Inside a list too: a field that is undefined is not sent.
  return isDeepStrictEqual(before, JSON.parse(JSON.stringify(after))) ? undefined : after;
}
