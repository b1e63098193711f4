import { spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Check } from "./check.ts";

/** Checks that a tool does; what it prints is the problem. */
export const toolChecks: readonly Check[] = [
  tool("format and lint", "biome", ["check", "--error-on-warnings", "."]),
  tool("types", "tsc", ["-p", "."]),
  tool("dead code", "knip", ["--no-progress"]),
];

function tool(name: string, program: string, args: readonly string[]): Check {
  return {
    name,
    run: async (root) => {
      const { code, output } = await runTool(join(root, "node_modules/.bin", program), args, root);
      return code === 0 ? [] : [output.trim() || `${program} ended with code ${code}`];
    },
  };
}

export async function runTool(program: string, args: readonly string[], cwd: string) {
  const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
  const [code, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, output: out + err };
}
