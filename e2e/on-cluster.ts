import { spawn } from "node:child_process";
import { once } from "node:events";
import { parseArgs } from "node:util";

/** Tells the stories that need a whole cluster. Exits as `node --test` does, or with 2 for wrong use. */
const stories = {
  native: ["cluster/native/native.e2e.ts", "charts/minimal-rights.e2e.ts", "installation/native.e2e.ts"],
  kind: ["cluster/kind/kind.e2e.ts", "installation/kind.e2e.ts"],
} as const;

process.exitCode = await main();

async function main(): Promise<number> {
  const files = storiesOf(process.argv.slice(2));
  if (files === undefined) {
    process.stderr.write(`usage: npm run e2e -- [--provider ${Object.keys(stories).join("|")}]\n`);
    return 2;
  }
  // One after the other: each has a cluster of its own.
  const flags = ["--test", "--test-reporter=spec", "--test-concurrency=1"];
  const args = [...flags, ...files.map((file) => `${import.meta.dirname}/${file}`)];
  const [code] = await once(spawn(process.execPath, args, { stdio: "inherit" }), "exit");
  return typeof code === "number" ? code : 1;
}

function storiesOf(args: readonly string[]): readonly string[] | undefined {
  try {
    const { provider } = parseArgs({
      args: [...args],
      options: { provider: { type: "string", default: "native" } },
    }).values;
    return Object.entries(stories).find(([name]) => name === provider)?.[1];
  } catch {
    return undefined;
  }
}
