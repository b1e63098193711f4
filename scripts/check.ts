import { budgetCheck, measureSizes, sizeTable } from "./checks/budgets.ts";
import type { Check } from "./checks/check.ts";
import { docBlockCheck } from "./checks/doc-blocks.ts";
import { docLinkCheck } from "./checks/doc-links.ts";
import { generatedCheck } from "./checks/generated.ts";
import { importCheck } from "./checks/imports.ts";
import { reasonCheck } from "./checks/reasons.ts";
import { toolChecks } from "./checks/tools.ts";
import { repositoryRoot } from "./repository.ts";

const checks: readonly Check[] = [
  ...toolChecks,
  importCheck,
  generatedCheck,
  docLinkCheck,
  docBlockCheck,
  reasonCheck,
  budgetCheck,
];

let failed = 0;
for (const check of checks) {
  const started = performance.now();
  const problems = await problemsOf(check);
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  process.stdout.write(`${problems.length === 0 ? "ok    " : "FAILED"} ${check.name} (${seconds} s)\n`);
  for (const problem of problems) process.stdout.write(`  ${problem.replaceAll("\n", "\n  ")}\n`);
  if (problems.length > 0) failed++;
}
process.stdout.write(`\n${sizeTable(measureSizes(repositoryRoot))}\n`);
if (failed > 0) {
  process.stdout.write(`\n${failed} of ${checks.length} checks failed\n`);
  process.exitCode = 1;
}

/** A check that breaks has not passed. */
async function problemsOf(check: Check): Promise<readonly string[]> {
  try {
    return await check.run(repositoryRoot);
  } catch (error) {
    return [`the check itself broke: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`];
  }
}
