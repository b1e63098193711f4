import { z } from "zod";
import { conditionsSchema, readyColumns } from "./conditions.ts";
import { type Definition, resourceSchema } from "./definition.ts";
import { resourceNameSchema, setOf } from "./fields.ts";
import { storageFields } from "./storage.ts";

/** More users of a workspace than this are not listed. */
export const maxUsersListed = 100;

const spec = z.strictObject(storageFields).prefault({}).describe("What people decided about the volume.");

export const workspaceSchema = resourceSchema("Workspace", spec);
/** A volume that several agent groups share. */
export type Workspace = z.output<typeof workspaceSchema>;

export const workspaceDefinition: Definition = {
  kind: "Workspace",
  plural: "workspaces",
  shortName: "cpws",
  description: "A volume that several agent groups share, at `/team/<name>`; each says so in its `teamWorkspaces`.",
  decidedByPeople: true,
  schema: workspaceSchema,
  spec,
  status: z.strictObject({
    usedBy: setOf(resourceNameSchema, { min: 0, max: maxUsersListed })
      .optional()
      .describe("Agent groups that mount it."),
    conditions: conditionsSchema,
  }),
  columns: [
    { name: "Size", type: "string", jsonPath: ".spec.size", description: "Size of the volume" },
    { name: "Used-By", type: "string", jsonPath: ".status.usedBy", description: "Agent groups that mount it" },
    ...readyColumns,
  ],
};
