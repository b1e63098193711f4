import { asDecoded } from "@copepod/crds/decoded";
import { apiVersionOf, isRecord, type KubeObject, type ObjectMeta, type Resource } from "@copepod/kube/object";
import type { z } from "zod";

/** kubectl's copy of the whole object: nobody here reads it. */
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/** A resource of ours as the API server has it: what a fenced write needs, and what was decided, parsed once. */
export type Seen<T> = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  /** Undefined when it can't be read; `problem` then says why. Its metadata has the name and the namespace only. */
  readonly resource: T | undefined;
  readonly problem: string | undefined;
  /** Raw: each controller reads its own fields of it. */
  readonly status: Readonly<Record<string, unknown>>;
};

/** @returns the transform of a cache. It never throws: one object that can't be read is no reason to forget it */
export function seeAs<T>(resource: Resource, schema: z.ZodType<T>): (object: KubeObject) => Seen<T> {
  const about = { apiVersion: apiVersionOf(resource), kind: resource.kind };
  return ({ metadata, spec, status }) => {
    const { name, namespace } = metadata;
    const parsed = schema.safeParse(asDecoded(schema, { ...about, metadata: { name, namespace }, spec }));
    const issue = parsed.error?.issues[0];
    return {
      ...about,
      metadata: slim(metadata),
      resource: parsed.data,
      problem: issue && `${issue.path.map(String).join(".")}: ${issue.message}`,
      status: isRecord(status) ? status : {},
    };
  };
}

/** What controllers read of metadata, without the copies that other tools keep in it. */
export function slim({ managedFields: _, annotations, ...metadata }: ObjectMeta): ObjectMeta {
  if (!annotations) return metadata;
  const { [lastApplied]: __, ...kept } = annotations;
  return { ...metadata, annotations: kept };
}
