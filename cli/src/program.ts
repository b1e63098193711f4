import { harnessNames } from "@copepod/agent-image/harnesses/harness";
import { usageKeys } from "@copepod/core/admin-api";
import { inboundStates, outboundStates } from "@copepod/core/messages";
import { Command, InvalidArgumentError, Option } from "commander";
import { addClusterOptions } from "./cluster/options.ts";
import { addClusterCommands } from "./cluster-program.ts";
import type { CliDeps } from "./context.ts";
import { exitCodeHelp } from "./exit-codes.ts";
import { collect, jsonOption, run } from "./run-command.ts";

/** The command line. Building it does nothing yet, so that its documentation can be generated from it. */
export function buildProgram(deps: CliDeps): Command {
  const program = new Command("copepod")
    .description("Chat-driven AI agents, on one machine or on a Kubernetes cluster.")
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
  addClusterOptions(program);
  addSystemCommands(program, deps);
  addChatCommands(program, deps);
  addResourceCommands(program, deps);
  addKeyCommands(program, deps);
  addProviderCommands(program, deps);
  addAdminCommands(program, deps);
  addClusterCommands(program, deps);
  return program;
}

function addSystemCommands(program: Command, deps: CliDeps): void {
  sandboxOptions(program.command("up"))
    .description("run the whole system in the foreground; Ctrl-C ends it")
    .action(run(deps, async (context, command) => (await import("./commands/up.ts")).up(context, command.opts())));
}

/** What is run apart from the machine, and by what. */
const sandboxOptions = (command: Command): Command =>
  command
    .addOption(
      new Option("--sandbox <kind>", "what keeps sessions apart from this machine; auto: bubblewrap where it works")
        .choices(["auto", "bubblewrap", "docker", "podman"])
        .default("auto"),
    )
    .addOption(
      new Option("--unsandboxed", "let agents that run commands do so as you, with all that you may").conflicts(
        "sandbox",
      ),
    );

function addChatCommands(program: Command, deps: CliDeps): void {
  const chatOptions = (command: Command) =>
    command
      .option("--conversation <name>", "name of the conversation", "main")
      .option("--group <name>", "agent group that answers (default: as the wirings say)")
      .addOption(timeoutOption());
  sandboxOptions(chatOptions(program.command("start")))
    .description("run the system and chat with it; when it runs already, only chat")
    .action(
      run(deps, async (context, command) => (await import("./commands/start.ts")).start(context, command.opts())),
    );
  chatOptions(program.command("chat"))
    .description("chat with the system that runs; in a pipe, prints an answer to each line")
    .action(run(deps, async (context, command) => (await import("./commands/chat.ts")).chat(context, command.opts())));
  program
    .command("ask")
    .description("ask one question: the answer on stdout, the session on stderr")
    .argument("[prompt]", "the question; without it, stdin is read")
    .option("--session <name>", "go on in the conversation of this session (default: a new conversation)")
    .option("--group <name>", "agent group that answers (default: as the wirings say)")
    .addOption(new Option("--file <path>", "send a file along; may be given again").argParser(collect).default([]))
    .option("--save <dir>", "folder for files of the answer (default: $COPEPOD_HOME/received/<session>)")
    .addOption(timeoutOption())
    .addOption(jsonOption())
    .addHelpText("after", `\n${exitCodeHelp}`)
    .action(
      run(deps, async (context, command) =>
        (await import("./commands/ask.ts")).ask(context, command.args[0], command.opts()),
      ),
    );
}

function addResourceCommands(program: Command, deps: CliDeps): void {
  program
    .command("get")
    .description("list resources, sessions or messages, or show one")
    .argument(
      "[kind]",
      "agentgroups, channels, wirings, users, credentials, workspaces, sessions, messages or dead-letters; or a short name",
    )
    .argument("[name]", "only this one")
    .addOption(
      new Option("-o, --output <format>", "how it is shown")
        .choices(["table", "wide", "name", "json", "yaml"])
        .default("table"),
    )
    .option("--session <name>", "messages of this session only")
    .addOption(new Option("--state <state>", "messages in this state only").choices(messageStates))
    .option("--limit <count>", "at most so many", parseCount, defaultLimit)
    .action(
      run(deps, async (context, command) =>
        (await import("./commands/get.ts")).get(context, command.args, command.opts()),
      ),
    );
  program
    .command("apply")
    .description("write resources; all are checked before one is written")
    .requiredOption("-f, --filename <paths...>", "files or folders of YAML; - is stdin")
    .option("--force-conflicts", "in a cluster: take over fields that somebody else has set")
    .addOption(jsonOption())
    .action(
      run(deps, async (context, command) => (await import("./commands/apply.ts")).apply(context, command.opts())),
    );
}

function addKeyCommands(program: Command, deps: CliDeps): void {
  const commands = () => import("./commands/keys.ts");
  const keys = program
    .command("keys")
    .description("keys that proxies put into requests; agents never see them")
    .helpCommand(false);
  const keyOption = () => new Option("--key <key>", "which of several keys of that name").default("key");
  keys
    .command("add")
    .description("store or replace a key: typed without an echo, or piped to standard input")
    .argument("<name>", 'its name; "anthropic", "openai" and "claude" (a subscription) get their Credential too')
    .addOption(keyOption())
    .action(
      run(deps, async (context, command) => (await commands()).addKey(context, command.args[0] ?? "", command.opts())),
    );
  keys
    .command("list")
    .description("list the keys and who uses them, never their values")
    .addOption(jsonOption())
    .action(run(deps, async (context, command) => (await commands()).showKeys(context, command.opts())));
  keys
    .command("remove")
    .description("remove a key")
    .argument("<name>", "its name")
    .addOption(keyOption())
    .action(
      run(deps, async (context, command) => (await commands()).dropKey(context, command.args[0] ?? "", command.opts())),
    );
}

function addProviderCommands(program: Command, deps: CliDeps): void {
  const commands = () => import("./commands/provider.ts");
  const provider = program
    .command("provider")
    .description("harnesses of agents, which are installed when they are wanted");
  provider
    .command("list")
    .description("list what can be installed, and what is")
    .addOption(jsonOption())
    .action(run(deps, async (context, command) => (await commands()).listProviders(context, command.opts())));
  provider
    .command("add")
    .description("install the harness of a provider, by its lock file")
    .argument("<name>", harnessNames.join(", "))
    .addOption(jsonOption())
    .action(
      run(deps, async (context, command) =>
        (await commands()).addProvider(context, command.args[0] ?? "", command.opts()),
      ),
    );
  provider
    .command("remove")
    .description("remove all versions of a provider's harness")
    .argument("<name>", harnessNames.join(", "))
    .addOption(jsonOption())
    .action(
      run(deps, async (context, command) =>
        (await commands()).removeProvider(context, command.args[0] ?? "", command.opts()),
      ),
    );
}

function addAdminCommands(program: Command, deps: CliDeps): void {
  const admin = () => import("./commands/admin.ts");
  program
    .command("retry")
    .description("make a dead letter, or a delivery with unknown outcome, pending again")
    .argument("<id>", "id of the message")
    .addOption(jsonOption())
    .action(
      run(deps, async (context, command) => (await admin()).retry(context, command.args[0] ?? "", command.opts())),
    );
  program
    .command("backup")
    .description("copy the queue database while it is in use")
    .argument("<path>", "file to write")
    .addOption(jsonOption())
    .action(
      run(deps, async (context, command) => (await admin()).backup(context, command.args[0] ?? "", command.opts())),
    );
  program
    .command("stop")
    .description("stop the turn that runs for a conversation")
    .argument("[conversation]", "name of the terminal conversation", "main")
    .addOption(jsonOption())
    .action(
      run(deps, async (context, command) => (await admin()).stop(context, command.processedArgs[0], command.opts())),
    );
  program
    .command("usage")
    .description("sum what requests to model APIs took: tokens and cost")
    .addOption(new Option("--by <what>", "what is summed").choices(usageKeys).default("group"))
    .option("--since <duration>", "how far back, such as 90m or 24h", "24h")
    .addOption(jsonOption())
    .action(
      run(deps, async (context, command) => (await import("./commands/usage.ts")).usage(context, command.opts())),
    );
  program
    .command("status")
    .description("say whether the system is ready, and what hinders it")
    .addOption(jsonOption())
    .action(
      run(deps, async (context, command) => (await import("./commands/status.ts")).status(context, command.opts())),
    );
  program
    .command("doctor")
    .description("look at all that Copepod needs here; each fault with its cure")
    .addOption(jsonOption())
    .action(
      run(deps, async (context, command) => (await import("./commands/doctor.ts")).doctor(context, command.opts())),
    );
}

const messageStates = [...new Set([...inboundStates, ...outboundStates])];

const defaultLimit = 100;

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new InvalidArgumentError("It must be a whole number above 0.");
}

const timeoutOption = () =>
  new Option("--timeout <duration>", "how long an answer may take, such as 90s or 5m").default("5m");
