import { Command } from "commander";
import { up } from "./commands/up.ts";
import type { CliDeps, Context } from "./context.ts";
import { exitCodeHelp, exitCodeOf } from "./exit-codes.ts";
import { describeError, errorJson } from "./output/describe-error.ts";

/** The command line. Building it does nothing yet, so that its documentation can be generated from it. */
export function buildProgram(deps: CliDeps): Command {
  const program = new Command("copepod")
    .description("Chat-driven AI agents, on one machine and on Kubernetes.")
    .version(deps.version, "--version", "print the version")
    .option("--home <dir>", "folder of resources, queue, volumes and logs (default: $COPEPOD_HOME, or ./.copepod)")
    .helpOption("-h, --help", "show help")
    .helpCommand(false)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => deps.io.stdout.write(text),
      writeErr: (text) => deps.io.stderr.write(text),
    })
    .addHelpText("after", `\n${exitCodeHelp}`);
  addSystemCommands(program, deps);
  return program;
}

function addSystemCommands(program: Command, deps: CliDeps): void {
  program
    .command("up")
    .description("run the whole system in the foreground; Ctrl-C ends it")
    .action(run(deps, (context) => up(context)));
}

type Work = (context: Context, command: Command) => Promise<number>;

/** Runs a command's work; its result or its error becomes the exit code. */
function run(deps: CliDeps, work: Work): (...args: unknown[]) => Promise<void> {
  return async (...args) => {
    const command = args.at(-1);
    if (!(command instanceof Command)) throw new Error("commander gives the command last");
    const options = command.optsWithGlobals();
    try {
      const context: Context = { ...deps, settings: deps.config(options.home) };
      deps.setExitCode(await work(context, command));
    } catch (error) {
      deps.io.stderr.write(`${options.output === "json" ? errorJson(error) : describeError(error)}\n`);
      deps.setExitCode(exitCodeOf(error));
    }
  };
}
