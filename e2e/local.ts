import { spawn } from "node:child_process";
import { once } from "node:events";
import { isLoopbackOnly, loopbackOnlyGate, rerunLoopbackOnly } from "./support/loopback-only.ts";

/** Tells every story with every installed harness; arguments go to `node --test`. */
if (isLoopbackOnly() || loopbackOnlyGate() !== undefined) process.exitCode = await run();
else await rerunLoopbackOnly();

async function run(): Promise<number> {
  const file = `${import.meta.dirname}/harness/all-stories.ts`;
  const args = ["--test", "--test-reporter=spec", ...process.argv.slice(2), file];
  const [code] = await once(spawn(process.execPath, args, { stdio: "inherit" }), "exit");
  return typeof code === "number" ? code : 1;
}
