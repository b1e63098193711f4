import { z } from "zod";

/** Existing volumes that agent groups may mount. */
export const mountPolicySettings = z.array(z.strictObject({ claimName: z.string().min(1) })).default([]);
