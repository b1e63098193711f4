import { readdir } from "node:fs/promises";
import { parseArgs } from "node:util";
import { CopepodError, codeOf } from "@copepod/core/errors";
import type { Bench, BenchResult } from "./bench.ts";

const usage = "usage: npm run bench <name> -- [options] [--json]";

process.exitCode = await main(process.argv.slice(2));

/** Runs one bench; without a name, lists them. @returns the exit code: 0 ok, 1 not ok, 2 wrong use. */
async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined || name.startsWith("-")) return await list();
  try {
    const bench = await load(name);
    const values = parse(bench, rest);
    const result = await bench.run(values, {
      say: (line) => process.stderr.write(`${line}\n`),
      signal: untilInterrupted(),
    });
    print(result);
    const { ok, figures } = result;
    if (values.json) process.stdout.write(`${JSON.stringify({ bench: name, ok, figures })}\n`);
    return ok ? 0 : 1;
  } catch (error) {
    if (codeOf(error) !== "invalid" && codeOf(error) !== "notFound") throw error;
    process.stderr.write(`${error instanceof Error ? error.message : error}\n${usage}\n`);
    return 2;
  }
}

async function list(): Promise<number> {
  process.stdout.write(`${usage}\n\n`);
  for (const name of await names()) {
    const { bench }: { bench?: Bench } = await import(`./${name}.ts`);
    if (!bench) continue;
    const options = Object.entries(bench.options).map(([option, { default: value }]) => `--${option} ${value ?? ""}`);
    process.stdout.write(`${name.padEnd(12)} ${bench.summary}\n${"".padEnd(12)} ${options.join("  ")}\n`);
  }
  return 0;
}

async function names(): Promise<string[]> {
  const files = await readdir(import.meta.dirname);
  return files
    .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && file !== "main.ts")
    .map((file) => file.slice(0, -".ts".length))
    .sort();
}

async function load(name: string): Promise<Bench> {
  const { bench }: { bench?: Bench } = (await names()).includes(name) ? await import(`./${name}.ts`) : {};
  if (!bench) throw new CopepodError("notFound", `there is no bench named "${name}"`);
  return bench;
}

function parse(bench: Bench, args: readonly string[]) {
  try {
    const options = { ...bench.options, json: { type: "boolean", default: false } } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new CopepodError("invalid", error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => controller.abort(signal));
  return controller.signal;
}

function print({ ok, figures, notes = [] }: BenchResult): void {
  const rows = Object.entries(figures).map(([name, value]) => [name, format(value)] as const);
  const nameWidth = Math.max(0, ...rows.map(([name]) => name.length));
  const valueWidth = Math.max(0, ...rows.map(([, value]) => value.length));
  const lines = rows.map(([name, value]) => `${name.padEnd(nameWidth)}  ${value.padStart(valueWidth)}`);
  process.stdout.write(`${[...lines, "", ...notes, ok ? "ok" : "NOT OK"].join("\n")}\n`);
}

function format(value: number | string): string {
  return typeof value === "number" ? value.toLocaleString("en-US", { maximumFractionDigits: 3 }) : value;
}
