import { z } from "zod";

/** What of the cluster pods of sessions never reach, and where their DNS is. */
export const networkSettings = z
  .strictObject({
    /** Ranges of addresses that stay closed although the internet is open. */
    deniedCidrs: z.array(z.string().min(1)).default([]),
  })
  .prefault({});
