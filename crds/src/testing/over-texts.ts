import { z } from "zod";
import { apiVersion, type Definition, resourceSchema } from "../definition.ts";
import { durationMs, durationSchema } from "../duration.ts";
import { withRuleOver } from "../rule.ts";
import type { Row } from "./rows.ts";

const sentence = "maxAge must be longer than idleAfter";

const session = withRuleOver(
  z.strictObject({
    idleAfter: durationSchema.default("10m").describe("Default 10m."),
    maxAge: durationSchema.optional().describe("Default none."),
  }),
  ["maxAge", "idleAfter"],
  {
    cel: "duration(self.maxAge) > duration(self.idleAfter)",
    message: sentence,
    holds: ({ maxAge, idleAfter }) => durationMs(maxAge) > durationMs(idleAfter),
    path: ["idleAfter"],
  },
);
const spec = z.strictObject({ session: session.prefault({}).describe("Session.") }).describe("Spec.");

/** A kind that only tests have, with a rule that takes the texts of two fields apart. */
export const timerDefinition: Definition = {
  kind: "Timer",
  plural: "timers",
  shortName: "cptimer",
  description: "A kind of tests.",
  decidedByPeople: true,
  schema: resourceSchema("Timer", spec),
  spec,
  status: z.strictObject({}),
  columns: [],
};

const timer = (fields: object) => ({ apiVersion, kind: "Timer", metadata: { name: "x" }, spec: { session: fields } });

const refused: Readonly<Record<string, readonly [object, keyof z.output<typeof session>, string | RegExp]>> = {
  "two that do not go together": [{ idleAfter: "1h", maxAge: "1h" }, "idleAfter", sentence],
  "one that does not go with a default": [{ maxAge: "9m59s" }, "idleAfter", sentence],
  "one that does not fit its pattern": [{ maxAge: "1d" }, "maxAge", /duration/],
  "one that does not fit its pattern, with another": [{ maxAge: "1d", idleAfter: "1s" }, "maxAge", /duration/],
  "the other that does not fit its pattern": [{ maxAge: "1s", idleAfter: "1d" }, "idleAfter", /duration/],
  "one that is too long": [{ maxAge: "1".repeat(21) }, "maxAge", /Too big/],
  "one that is nothing": [{ maxAge: "" }, "maxAge", /duration/],
  "one that is no text": [{ maxAge: 1 }, "maxAge", /expected string/],
  "one that breaks a rule of its own": [{ maxAge: "0s" }, "maxAge", "must be at least 1s"],
};

export const timerRows: readonly Row[] = [
  { name: "none of them", document: timer({}) },
  { name: "one of them", document: timer({ idleAfter: "1h" }) },
  { name: "two that go together", document: timer({ idleAfter: "1h", maxAge: "1h1s" }) },
  ...Object.entries(refused).map(([name, [fields, field, reason]]) => ({
    name,
    document: timer(fields),
    refusal: { path: `spec.session.${field}`, reason },
  })),
];
