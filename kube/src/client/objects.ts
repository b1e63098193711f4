import { CopepodError } from "@copepod/core/errors";
import { apiVersionOf, isRecord, type KubeObject, type Resource } from "../object.ts";
import type { Page } from "./client.ts";
import { toApiError } from "./status.ts";

/** By hand and not by a schema: a schema would copy each of thousands of objects. */
export const isKubeObject = (value: unknown): value is KubeObject => isRecord(value) && isRecord(value.metadata);

/** @throws CopepodError `clusterUnavailable`; ApiError for a failure that came as a success */
export function asObject(what: string, value: unknown): KubeObject {
  if (isKubeObject(value)) {
    if (value.kind === "Status" && value.status === "Failure") throw toApiError({ what, body: value });
    return value;
  }
  throw new CopepodError("clusterUnavailable", `${what}: the answer is not a Kubernetes object`);
}

/** The API server leaves the kind out of most lists' items; they get it here, so that all objects look alike. */
export function asPage(what: string, resource: Resource, value: unknown): Page {
  const { metadata, items: given } = asObject(what, value);
  // Some servers write an empty list so, in Go's way. A list without `items` may be anything else.
  const items = given === null ? [] : given;
  const { resourceVersion, continue: continueToken } = { continue: undefined, ...metadata };
  if (!Array.isArray(items) || typeof resourceVersion !== "string") {
    throw new CopepodError("clusterUnavailable", `${what}: the answer is not a list`);
  }
  const apiVersion = apiVersionOf(resource);
  const objects = items.map((item) => {
    const object = asObject(what, item);
    return object.kind === undefined ? { apiVersion, kind: resource.kind, ...object } : object;
  });
  const isLast = typeof continueToken !== "string" || continueToken === "";
  return { items: objects, resourceVersion, ...(!isLast && { continueToken }) };
}
