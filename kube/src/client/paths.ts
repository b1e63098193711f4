import { CopepodError } from "@copepod/core/errors";
import type { Resource } from "../object.ts";

/** An object, or a collection where it has no name. */
export interface Place {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** @throws CopepodError `invalid` for a part that is no name */
export function pathOf(resource: Resource, { namespace, name, subresource }: Place, query: Query): string {
  const { group, version, plural, namespaced } = resource;
  const parts = [
    ...(group === "" ? ["api"] : ["apis", group]),
    version,
    ...(namespaced && namespace !== undefined ? ["namespaces", namespace] : []),
    plural,
    ...(name === undefined ? [] : [name]),
    ...(subresource?.split("/") ?? []),
  ];
  const pairs = Object.entries(query).flatMap(([key, value]) => (value === undefined ? [] : [[key, `${value}`]]));
  return `/${parts.map(segment).join("/")}${pairs.length === 0 ? "" : `?${new URLSearchParams(pairs)}`}`;
}

/** Such as `get pods/status default/web`, as errors name a call. */
export function describeCall(verb: string, { plural }: Resource, { namespace, name, subresource }: Place): string {
  const what = subresource === undefined ? plural : `${plural}/${subresource}`;
  const where = [namespace, name].filter((part) => part !== undefined).join("/");
  return where === "" ? `${verb} ${what}` : `${verb} ${what} ${where}`;
}

function segment(part: string): string {
  if (part !== "" && part !== "." && part !== "..") return encodeURIComponent(part);
  throw new CopepodError(
    "invalid",
    `"${part}" can't be a part of a Kubernetes path; name the object and its namespace`,
  );
}
