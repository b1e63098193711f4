import { z } from "zod";
import { freeObjectSchema, namedListOf } from "./fields.ts";
import { objectNameSchema } from "./storage.ts";

const maxListed = 20;

const freeList = z.array(freeObjectSchema).max(maxListed);

/** A closed list: what is not here can't be overridden. Parts with a form of their own are as Kubernetes documents them. */
export const podOverridesSchema = z.strictObject({
  labels: freeObjectSchema.optional().describe("Further labels, none of Copepod's own. Default none."),
  annotations: freeObjectSchema.optional().describe("Further annotations, none of Copepod's own. Default none."),
  priorityClassName: objectNameSchema.optional().describe("PriorityClass of the pods. Default: the cluster's own."),
  nodeSelector: freeObjectSchema.optional().describe("Labels that the node must have. Default none."),
  tolerations: freeList.optional().describe("Taints of nodes that the pods put up with. Default none."),
  affinity: freeObjectSchema.optional().describe("Which nodes and neighbours the pods prefer or need. Default none."),
  topologySpreadConstraints: freeList
    .optional()
    .describe("How the pods spread over the cluster. Default: as the cluster does it."),
  imagePullSecrets: namedListOf(z.strictObject({ name: objectNameSchema.describe("Name of a Secret.") }), {
    max: maxListed,
  })
    .optional()
    .describe("Secrets by which images are pulled, beside those of the installation. Default none."),
  hostUsers: z
    .boolean()
    .optional()
    .describe("false: the pods have a user namespace of their own. Default: as the cluster does it."),
  schedulerName: objectNameSchema.optional().describe("Scheduler of the pods. Default: the cluster's own."),
});
