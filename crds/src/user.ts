import { z } from "zod";
import { type Definition, resourceSchema } from "./definition.ts";
import { lineSchema, resourceNameSchema, setOf } from "./fields.ts";
import { withRule } from "./rule.ts";

const maxIdentities = 100;
const maxRoles = 100;

const identity = z
  .string()
  .max(576)
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?:\P{Cc}+$/u, "must be <channel>:<platform user id>");

const role = withRule(
  z.strictObject({
    role: z.enum(["Owner", "Admin", "Member"]).describe("What the person may do."),
    group: resourceNameSchema.optional().describe("Agent group in which the role holds. Default: in all."),
  }),
  {
    cel: "self.role != 'Owner' || !has(self.group)",
    message: "an Owner has no group: the role holds in all",
    holds: (entry) => entry.role !== "Owner" || entry.group === undefined,
  },
);

const spec = z
  .strictObject({
    identities: setOf(identity, { min: 1, max: maxIdentities }).describe(
      "Faces of the person on channels, each `<channel>:<platform user id>`.",
    ),
    displayName: lineSchema(200).min(1).optional().describe("How the person is called. Default: the resource's name."),
    roles: z.array(role).max(maxRoles).default([]).describe("Roles of the person. Default none."),
  })
  .describe("What people decided about the person.");

export const userSchema = resourceSchema("User", spec);
/** A person: several platform identities, and roles. */
export type User = z.output<typeof userSchema>;

export const userDefinition: Definition = {
  kind: "User",
  plural: "users",
  shortName: "cpuser",
  description: "A person: their identities on channels, and their roles.",
  decidedByPeople: true,
  schema: userSchema,
  spec,
  status: z.strictObject({}),
  columns: [
    { name: "Display-Name", type: "string", jsonPath: ".spec.displayName", description: "How the person is called" },
    { name: "Identities", type: "string", jsonPath: ".spec.identities", description: "Faces on channels" },
  ],
};
