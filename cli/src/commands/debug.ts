import { diagnose } from "../cluster/diagnose.ts";
import { gatherFacts } from "../cluster/session-facts.ts";
import { type Context, print } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { requireCluster } from "./require-target.ts";

/** Names the first thing that keeps a session from its next turn. @returns exit 1 when something is wrong */
export async function debugSession(
  context: Context,
  name: string,
  { output }: { readonly output?: "json" },
): Promise<number> {
  const facts = await gatherFacts(requireCluster(context, "`debug session`"), name);
  const diagnosis = diagnose(facts);
  if (output === "json") print(context, JSON.stringify({ diagnosis, facts }, null, 2));
  else for (const line of [diagnosis.what, ...(diagnosis.cure ? [`  ${diagnosis.cure}`] : [])]) print(context, line);
  return diagnosis.isWrong ? exitCodes.failure : exitCodes.ok;
}
