import { z } from "zod";
import { lineSchema, timeSchema } from "./fields.ts";

const maxConditions = 20;
const maxMessageLength = 1_024;

const condition = z.strictObject({
  type: z
    .string()
    .max(63)
    .regex(/^[A-Z][A-Za-z]*$/, "must be a word such as Ready")
    .describe("What the condition is about."),
  status: z.enum(["True", "False", "Unknown"]).describe("Whether it holds."),
  reason: z
    .string()
    .max(63)
    .regex(/^[A-Z][A-Za-z]*$/, "must be a word such as QuotaExceeded")
    .describe("Why, in one word for programs."),
  message: lineSchema(maxMessageLength).describe("Why, in a sentence for people."),
  lastTransitionTime: timeSchema.describe("When the status last changed."),
  observedGeneration: z.int().min(0).optional().describe("Generation of the resource that was looked at."),
});

/** What holds of a resource, one entry per type. */
export const conditionsSchema = z
  .array(condition)
  .max(maxConditions)
  .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] })
  .optional()
  .describe("What holds of the resource.");

/** Columns of a kind whose conditions have one of the type Ready. */
export const readyColumns = [
  {
    name: "Ready",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].status',
    description: "Whether all is well",
  },
  {
    name: "Reason",
    type: "string",
    jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
    description: "Why, or why not",
  },
] as const;
