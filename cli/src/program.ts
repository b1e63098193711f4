import { Command, Option } from "commander";
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
  addChatCommands(program, deps);
  return program;
}

function addSystemCommands(program: Command, deps: CliDeps): void {
  program
    .command("up")
    .description("run the whole system in the foreground; Ctrl-C ends it")
    .action(run(deps, async (context) => (await import("./commands/up.ts")).up(context)));
}

function addChatCommands(program: Command, deps: CliDeps): void {
  const chatOptions = (command: Command) =>
    command
      .option("--conversation <name>", "name of the conversation", "main")
      .option("--group <name>", "agent group that answers (default: as the wirings say)")
      .addOption(timeoutOption());
  chatOptions(program.command("start"))
    .description("run the system and chat with it; when it runs already, only chat")
    .action(
      run(deps, async (context, command) => (await import("./commands/start.ts")).start(context, command.opts())),
    );
  chatOptions(program.command("chat"))
    .description("chat with the system that runs; reads prompts line by line from a pipe")
    .action(run(deps, async (context, command) => (await import("./commands/chat.ts")).chat(context, command.opts())));
  program
    .command("ask")
    .description("ask one question: the answer on stdout, the session on stderr")
    .argument("[prompt]", "the question; without it, stdin is read")
    .option("--session <name>", "go on in the conversation of this session (default: a new conversation)")
    .option("--group <name>", "agent group that answers (default: as the wirings say)")
    .addOption(timeoutOption())
    .addHelpText("after", `\n${exitCodeHelp}`)
    .action(
      run(deps, async (context, command) =>
        (await import("./commands/ask.ts")).ask(context, command.args[0], command.opts()),
      ),
    );
}

const timeoutOption = () =>
  new Option("--timeout <duration>", "how long an answer may take, such as 90s or 5m").default("5m");

type Work = (context: Context, command: Command) => Promise<number>;

/** Runs a command's work; its result or its error becomes the exit code. Work is imported only when it is asked for. */
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
