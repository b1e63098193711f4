import { type Command, InvalidArgumentError, Option } from "commander";
import type { CliDeps } from "./context.ts";
import { collect, jsonOption, run } from "./run-command.ts";

/** Commands that are about a cluster alone, or that were made for one. */
export function addClusterCommands(program: Command, deps: CliDeps): void {
  addInstallCommand(program, deps);
  addPauseCommands(program, deps);
  addLookCommands(program, deps);
  program
    .command("credential")
    .description("credentials in a cluster")
    .helpCommand(false)
    .command("rotate")
    .description("have pods that run take a changed key at once, and not within a minute")
    .argument("<name>", "the Credential")
    .addOption(jsonOption())
    .action(
      run(
        deps,
        async (context, command) =>
          (await import("./commands/rotate.ts")).rotate(context, command.args[0] ?? "", command.opts()),
        "cluster",
      ),
    );
}

function addInstallCommand(program: Command, deps: CliDeps): void {
  program
    .command("install")
    .description("install Copepod in a cluster, with a first agent and you as its owner; says first what it will do")
    .addOption(
      new Option("--model <name>", "who answers (default: asked for)").choices([
        "demo",
        "anthropic",
        "claude",
        "openai",
      ]),
    )
    .option("--storage-class <name>", "of all volumes (default: asked for)")
    .option("--agent <name>", "name of the first agent group (default: asked for)")
    .option("--chart <dir>", "folder with the charts copepod and copepod-crds", deps.charts)
    .addOption(
      new Option("--set <key=value>", "further value of the chart; may be given again").argParser(collect).default([]),
    )
    .option("--yes", "do it without asking; a key is then read from standard input")
    .addHelpText(
      "after",
      "\nExamples:\n  copepod install\n  copepod install --model demo --yes\n  copepod install --model anthropic --yes < key.txt",
    )
    .action(
      run(
        deps,
        async (context, command) => (await import("./commands/install.ts")).install(context, command.opts()),
        "cluster",
      ),
    );
}

function addPauseCommands(program: Command, deps: CliDeps): void {
  const commands = () => import("./commands/pause.ts");
  const about = (command: Command) =>
    command
      .argument("[what]", "all, group or session", "all")
      .argument("[name]", "of the agent group or session")
      .addOption(jsonOption());
  about(program.command("pause"))
    .description("let agents sleep whatever waits; messages are kept")
    .addHelpText(
      "after",
      "\nExamples:\n  copepod pause\n  copepod pause group helper\n  copepod -n agents pause session helper-0123456789ab",
    )
    .action(
      run(deps, async (context, command) =>
        (await commands()).setSuspended(context, command.processedArgs, { ...command.opts(), suspended: true }),
      ),
    );
  about(program.command("resume"))
    .description("let paused agents wake again; all means all agent groups, and no session that was paused by itself")
    .action(
      run(deps, async (context, command) =>
        (await commands()).setSuspended(context, command.processedArgs, { ...command.opts(), suspended: false }),
      ),
    );
}

function addLookCommands(program: Command, deps: CliDeps): void {
  program
    .command("logs")
    .description("print the logs of a program of Copepod, or of both containers of a session's pod")
    .argument("<what>", "router, operator, or the name of a session")
    .option("-f, --follow", "go on until Ctrl-C")
    .option("--tail <count>", "so many of the last lines of each container", parseLines, 200)
    .addHelpText(
      "after",
      "\nExamples:\n  copepod logs router -f\n  copepod -n agents logs helper-0123456789ab --tail 50",
    )
    .action(
      run(
        deps,
        async (context, command) =>
          (await import("./commands/logs.ts")).logs(context, command.args[0] ?? "", command.opts()),
        "cluster",
      ),
    );
  program
    .command("debug")
    .description("find out what is wrong")
    .helpCommand(false)
    .command("session")
    .description("why is it not awake? names the first thing that is wrong, and its cure")
    .argument("<name>", "name of the session, as `get sessions` shows it")
    .addOption(jsonOption())
    .action(
      run(
        deps,
        async (context, command) =>
          (await import("./commands/debug.ts")).debugSession(context, command.args[0] ?? "", command.opts()),
        "cluster",
      ),
    );
}

function parseLines(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 0) return count;
  throw new InvalidArgumentError("It must be a whole number.");
}
