import { type Context, tell } from "../context.ts";
import { homeLayout } from "../home/layout.ts";
import { readProblems } from "../home/read-problems.ts";
import { describeProblem } from "./apply.ts";

/** Problems that a start names. */
const maxProblemsTold = 2;

/** Tells of resource files that are refused: what they say has no effect, though the system is ready. */
export async function tellProblems(context: Pick<Context, "io" | "settings">): Promise<void> {
  const problems = (await readProblems(homeLayout(context.settings.home).resources)) ?? [];
  if (problems.length === 0) return;
  tell(
    context,
    `Some resources are refused; the last good state of them stays in force. Problems: ${problems.length}.`,
  );
  for (const problem of problems.slice(0, maxProblemsTold)) tell(context, `  ${describeProblem(problem)}`);
  tell(context, "`copepod doctor` lists them all.");
}
