import { readFile } from "node:fs/promises";
import { z } from "zod";

const lineSchema = z.object({
  userAgent: z.string().default(""),
  requestReceivedTimestamp: z.iso.datetime({ precision: 6 }),
  verb: z.string(),
  objectRef: z.object({ resource: z.string().default(""), apiGroup: z.string().default("") }).optional(),
});

export interface Write {
  /** UTC milliseconds, with fractions. */
  readonly at: number;
  readonly program: "router" | "operator";
  readonly what: string;
}

/** What router and operator wrote, less Events: those tell of what is not normal. The log has no Leases. */
export async function readWrites(auditLog: string): Promise<Write[]> {
  const lines = (await readFile(auditLog, "utf8")).split("\n").filter((line) => line !== "");
  return lines.flatMap((line) => {
    const { userAgent, requestReceivedTimestamp, verb, objectRef } = lineSchema.parse(JSON.parse(line));
    const program = /^copepod-(router|operator)\//.exec(userAgent)?.[1];
    const resource = objectRef?.resource ?? "";
    if ((program !== "router" && program !== "operator") || resource === "events") return [];
    return [{ at: timeOf(requestReceivedTimestamp), program, what: `${program} ${verb} ${resource}` }];
  });
}

/** `Date` knows milliseconds only. */
const timeOf = (stamp: string): number => Date.parse(stamp) + Number(`0.${stamp.slice(-4, -1)}`);
