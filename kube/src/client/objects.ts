import { CopepodError } from "@copepod/core/errors";
import { apiVersionOf, type KubeObject, type Resource } from "../object.ts";
import type { Page } from "./client.ts";

/** By hand and not by a schema: a schema would copy each of thousands of objects. */
export const isKubeObject = (value: unknown): value is KubeObject => isRecord(value) && isRecord(value.metadata);

export function asObject(what: string, value: unknown): KubeObject {
  if (isKubeObject(value)) return value;
  throw new CopepodError("clusterUnavailable", `${what}: the answer is not a Kubernetes object`);
}

/** The items of a list lack their kind where the API server deems it evident; they get it, so that all objects look alike. */
export function asPage(what: string, resource: Resource, value: unknown): Page {
  const { items, resourceVersion, continueToken } = readList(value);
  if (!Array.isArray(items) || typeof resourceVersion !== "string") {
    throw new CopepodError("clusterUnavailable", `${what}: the answer is not a list`);
  }
  const apiVersion = apiVersionOf(resource);
  const page: KubeObject[] = items.map((item) => {
    const object = asObject(what, item);
    return object.kind === undefined ? { apiVersion, kind: resource.kind, ...object } : object;
  });
  return { items: page, resourceVersion, ...(continueToken && { continueToken }) };
}

function readList(value: unknown) {
  const metadata = isRecord(value) && isRecord(value.metadata) ? value.metadata : {};
  return {
    items: isRecord(value) ? value.items : undefined,
    resourceVersion: metadata.resourceVersion,
    continueToken: typeof metadata.continue === "string" ? metadata.continue : "",
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
