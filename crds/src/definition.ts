import { z } from "zod";
import { metadataSchema } from "./fields.ts";

export const apiGroup = "copepod.dev";
export const apiVersionName = "v1alpha1";
export const apiVersion = `${apiGroup}/${apiVersionName}` as const;

export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "date" | "boolean";
  readonly jsonPath: string;
  readonly description: string;
}

/** All that is said about one kind: the CRD, the reference page and the checks of a file come from it. */
export interface Definition {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly description: string;
  /** true = people write it; false = only Copepod does, so a file must not contain it. */
  readonly decidedByPeople: boolean;
  readonly schema: z.ZodType;
  readonly spec: z.ZodType;
  readonly status: z.ZodObject;
  readonly columns: readonly Column[];
}

/** One resource: identity, and what a person decided, with the defaults filled in. */
export function resourceSchema<K extends string, S extends z.ZodType>(kind: K, spec: S) {
  return z.strictObject({
    apiVersion: z.literal(apiVersion),
    kind: z.literal(kind),
    metadata: metadataSchema,
    spec,
  });
}
