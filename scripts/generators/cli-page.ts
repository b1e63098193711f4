import { exitCodeHelp } from "@copepod/cli/exit-codes";
import { buildProgram } from "@copepod/cli/program";
import { code, pageHead, table } from "./markdown.ts";

type Program = ReturnType<typeof buildProgram>;

/** The program as documentation sees it: nothing of it is ever run. */
export async function loadProgram(): Promise<Program> {
  const unused = () => {
    throw new Error("documentation runs no command");
  };
  return buildProgram({
    io: { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr },
    version: "",
    charts: "charts",
    programName: "copepod",
    userName: "",
    userHome: "",
    uid: 0,
    config: unused,
    connect: unused,
    openCluster: unused,
    openSupervisor: unused,
    onSignal: unused,
    setExitCode: unused,
    randomKey: unused,
    random: unused,
  });
}

/** Commands with the words that lead to them, such as `["copepod", "get"]`. */
export function listCommands(program: Program, path: readonly string[] = [program.name()]): [string[], Program][] {
  return [
    [[...path], program],
    ...program.commands.flatMap((command) => listCommands(command, [...path, command.name()])),
  ];
}

/** The page about all commands and options. */
export function cliPage(program: Program): string {
  return [
    ...pageHead("Command line", "cli/src/program.ts"),
    "Within the repository `npx copepod …`. Answers and data go to standard output, everything else to standard error.",
    "",
    "```text",
    exitCodeHelp,
    "```",
    "",
    ...listCommands(program).flatMap(([path, command]) => describeCommand(path, command)),
  ].join("\n");
}

function describeCommand(path: readonly string[], command: Program): string[] {
  const args = command.registeredArguments.map((argument) => [code(argument.name()), argument.description]);
  const options = command.options.map((option) => [
    code(option.flags),
    [option.description, choicesText(option.argChoices), defaultText(option.defaultValue)].filter(Boolean).join(" "),
  ]);
  return [
    `## ${path.join(" ")}`,
    "",
    sentence(command.description()),
    "",
    "```text",
    `${path.join(" ")} ${command.usage()}`,
    "```",
    "",
    ...(args.length > 0 ? table(["Argument", "Meaning"], args) : []),
    ...(options.length > 0 ? table(["Option", "Meaning"], options) : []),
  ];
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;

const choicesText = (choices: readonly string[] | undefined): string =>
  choices ? `(${choices.map(code).join(", ")})` : "";

const defaultText = (value: unknown): string => (value === undefined ? "" : `(default: ${code(String(value))})`);
