import { CopepodError } from "@copepod/core/errors";
import type { ObjectName, Resource } from "../object.ts";

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface PathParts {
  readonly namespace?: string | undefined;
  /** Undefined: the collection. */
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
  readonly query?: Query;
}

/** The path of an object or of a collection, with its query. @throws CopepodError `invalid` for a part that is no name */
export function pathOf(
  { group, version, plural, namespaced }: Resource,
  { namespace, name, subresource, query }: PathParts,
): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const within = namespaced && namespace !== undefined ? `/namespaces/${segment(namespace)}` : "";
  const object = name === undefined ? "" : `/${segment(name)}`;
  const below = subresource === undefined ? "" : `/${subresource.split("/").map(segment).join("/")}`;
  return `${root}${within}/${plural}${object}${below}${search(query ?? {})}`;
}

/** Such as `get pods/log default/web`: verb, resource and name, as errors name a call. */
export function describeCall(verb: string, { plural }: Resource, { namespace, name, subresource }: PathParts): string {
  const what = subresource === undefined ? plural : `${plural}/${subresource}`;
  const where = [namespace, name].filter((part) => part !== undefined).join("/");
  return where === "" ? `${verb} ${what}` : `${verb} ${what} ${where}`;
}

/** @throws CopepodError `invalid` when a namespaced resource is named without its namespace */
export function requireNamespace({ namespaced, plural }: Resource, { namespace, name }: ObjectName): void {
  if (namespaced && namespace === undefined) {
    throw new CopepodError("invalid", `${plural} ${name} has no namespace, though ${plural} are namespaced; name it`);
  }
}

function segment(part: string): string {
  if (part === "" || part === "." || part === "..") {
    throw new CopepodError("invalid", `"${part}" is not a name of a Kubernetes object`);
  }
  return encodeURIComponent(part);
}

function search(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  );
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`;
}
