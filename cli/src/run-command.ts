import { Command, Option, type OptionValues } from "commander";
import { isForCluster } from "./cluster/options.ts";
import type { CliDeps, Context } from "./context.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { describeError, errorJson } from "./output/describe-error.ts";

export const jsonOption = () => new Option("-o, --output <format>", "results and errors as JSON").choices(["json"]);

/** For an option that may be given again. */
export const collect = (value: string, before: readonly string[]): string[] => [...before, value];

type Work = (context: Context, command: Command) => Promise<number>;

/**
 * Runs a command's work; its result or its error becomes the exit code. Work is imported only when it is asked for.
 * @param target of a command that there is for a cluster alone; the others work on what the command line says.
 */
export function run(deps: CliDeps, work: Work, target?: "cluster"): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const command = args.at(-1);
    if (!(command instanceof Command)) throw new Error("commander gives the command last");
    const options = command.optsWithGlobals();
    try {
      deps.setExitCode(
        await withTarget(deps, { ...options, ...(target && { cluster: true }) }, (context) => work(context, command)),
      );
    } catch (error) {
      deps.io.stderr.write(`${options.output === "json" ? errorJson(error) : describeError(error)}\n`);
      deps.setExitCode(exitCodeOf(error));
    }
  };
}

/** The command works on this machine or on a cluster, as the command line says. */
async function withTarget(
  deps: CliDeps,
  options: OptionValues,
  work: (context: Context) => Promise<number>,
): Promise<number> {
  const settings = deps.config(options.home);
  if (!isForCluster(deps.programName, options)) return await work({ ...deps, settings, cluster: undefined });
  const cluster = await deps.openCluster(settings, { ...options, version: deps.version });
  try {
    return await work({ ...deps, settings, cluster, connect: () => cluster.connectRouter() });
  } finally {
    await cluster.close();
  }
}
