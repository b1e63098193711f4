import { spawn } from "node:child_process";
import { join } from "node:path";
import { readText, repositoryRoot } from "./repository.ts";
import { planTests } from "./test-files.ts";

/** Test files at the same time: the whole-system tests start many processes of their own. */
const concurrency = 2;

const { files, options } = planTests(repositoryRoot, process.argv.slice(2));
process.stdout.write(`${files.length} test files, ${concurrency} at a time, Node ${process.version}\n`);
if (files.length === 0) {
  process.stderr.write("no test file matches; give globs or folders such as crds or 'router/**/*.test.ts'\n");
  process.exitCode = 1;
} else {
  if (files.some(needsApiServer)) process.exitCode = await run([join(repositoryRoot, "e2e/prepare.ts")]);
  process.exitCode ||= await run([
    "--test",
    `--test-concurrency=${concurrency}`,
    "--test-reporter=spec",
    ...options,
    ...files,
  ]);
}

/** Its programs may have to be built first, which takes minutes and has to show. */
function needsApiServer(file: string): boolean {
  return readText(repositoryRoot, file).includes("controlPlaneGate");
}

function run(args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, args, { cwd: repositoryRoot, stdio: "inherit" });
  // A terminal sends Ctrl-C to both; other signals reach only this process.
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  process.on("SIGINT", () => undefined);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}
