import { z } from "zod";
import { setOf } from "./fields.ts";

/** The API server's own bound of a name that is a DNS name. */
const maxObjectNameLength = 253;
const maxSizeLength = 10;

/** Name of an object of Kubernetes itself, such as a StorageClass or a claim. */
export const objectNameSchema = z
  .string()
  .min(1)
  .max(maxObjectNameLength)
  .regex(/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/, "must be lower case letters, digits, dashes and dots");

/** A size as text, in whole units. */
const sizeSchema = z
  .string()
  .max(maxSizeLength)
  .regex(/^[1-9][0-9]{0,5}(Mi|Gi|Ti)$/, "must be a size such as 500Mi, 10Gi or 1Ti");

/** What a volume is made by. The same for the volume of an agent group and that of a workspace. */
export const storageFields = {
  size: sizeSchema.default("10Gi").describe('Size of the volume. May grow where the class allows it. Default "10Gi".'),
  storageClassName: objectNameSchema
    .optional()
    .describe("StorageClass of the volume. Never changes. Default: the cluster's own."),
  accessModes: setOf(z.enum(["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"]), { min: 1, max: 3 })
    .default(["ReadWriteOnce"])
    .describe(
      "Access modes of the volume. With ReadWriteMany its pods need not share a node. Never change. " +
        'Default ["ReadWriteOnce"].',
    ),
  retain: z
    .enum(["Keep", "Delete"])
    .default("Keep")
    .describe("What becomes of the volume when the resource is deleted. Default Keep."),
};
