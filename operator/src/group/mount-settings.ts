import { z } from "zod";

const allowed = z.strictObject({
  /** Default: all that are watched. */
  namespaces: z.array(z.string().min(1)).optional(),
  /** Names of claims; one that ends with `*` stands for all that begin so. */
  claimNames: z.array(z.string().min(1)).min(1),
  /** true: only for reading. */
  readOnly: z.boolean().default(true),
});

/** Existing volumes that agent groups may mount: none, but for what an entry allows. */
export const mountPolicySettings = z.strictObject({ allow: z.array(allowed).default([]) }).prefault({});
export type MountPolicy = z.output<typeof mountPolicySettings>;
