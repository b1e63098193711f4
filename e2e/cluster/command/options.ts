import { parseArgs } from "node:util";
import { CopepodError } from "@copepod/core/errors";
import type { ClusterState } from "./state.ts";

export const defaultName = "copepod";
/** Interfaces have 15 characters at most, and their names end in a few of their own. */
const maxNameLength = 20;
const namePattern = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

export const help = `
A real Kubernetes cluster to build on, on this machine.

  npm run cluster -- up                    make the cluster, or mend it; ends when it serves
  npm run cluster -- status                what runs of it
  npm run cluster -- exec -- <command>     run a command with KUBECONFIG set, such as kubectl get nodes
  npm run cluster -- load <image>          give an image to the node: a \`docker save\` archive, or one of the Docker engine
  npm run cluster -- down                  remove it, with all that belongs to it

  --name <name>            one of several clusters, which can run side by side (default: ${defaultName})
  -h, --help               this text

of up:
  --provider kind|native   how it is made (default: kind where a Docker engine answers, else native)
  --own-engine             kind in a Docker engine that is made for it alone; root on Debian
  --control-plane          only etcd and the API server: no node, no root, ready in seconds
  --kubeconfig <file>      use the cluster that this file leads to; down leaves it alone
  --install                install missing Debian packages

of status:
  -o json                  for programs (then \`npm run --silent cluster\`, too)

Exit codes: 0 done, 1 failed, 2 the command line is not valid, 3 no such cluster, 4 it exists as another kind of cluster,
5 something did not come in time, 130 interrupted. exec ends as its command does.
`.trimStart();

/** What \`up\` is asked for. Undefined: whatever fits, or whatever the cluster is. */
export type Wish = ClusterState | undefined;

export type Invocation =
  | { readonly kind: "help" }
  | { readonly kind: "up"; readonly name: string; readonly wish: Wish; readonly install: boolean }
  | { readonly kind: "down"; readonly name: string }
  | { readonly kind: "status"; readonly name: string | undefined; readonly asJson: boolean }
  | { readonly kind: "load"; readonly name: string; readonly image: string }
  | { readonly kind: "exec"; readonly name: string; readonly command: readonly [string, ...string[]] };

export type Of<Kind extends Invocation["kind"]> = Extract<Invocation, { kind: Kind }>;

/** The command line is not valid; the message says how. */
export class UsageError extends CopepodError {
  constructor(message: string) {
    super("invalid", `${message}; see --help`);
  }
}

interface Command {
  /** Beside --help. */
  readonly options: readonly (keyof Values)[];
  parse(name: string, words: readonly string[], values: Values): Invocation;
}

const commands: Readonly<Record<string, Command>> = {
  up: {
    options: ["name", "provider", "own-engine", "control-plane", "kubeconfig", "install"],
    parse: (name, words, values) => {
      refuse(words);
      return { kind: "up", name, wish: parseWish(values), install: values.install === true };
    },
  },
  down: {
    options: ["name"],
    parse: (name, words) => {
      refuse(words);
      return { kind: "down", name };
    },
  },
  status: {
    options: ["name", "output"],
    parse: (name, words, values) => {
      refuse(words);
      if (values.output !== undefined && values.output !== "json") throw new UsageError("-o knows json only");
      return { kind: "status", name: values.name && name, asJson: values.output === "json" };
    },
  },
  load: {
    options: ["name"],
    parse: (name, [image, ...others]) => {
      if (image === undefined) throw new UsageError("load takes an image");
      refuse(others);
      return { kind: "load", name, image };
    },
  },
  exec: {
    options: ["name"],
    parse: (name, [program, ...args]) => {
      if (program === undefined) throw new UsageError("exec takes a command");
      return { kind: "exec", name, command: [program, ...args] };
    },
  },
};

/** @throws UsageError */
export function parseInvocation(args: readonly string[]): Invocation {
  // Else its options would be taken for ours.
  if (args[0] === "exec" && args.length > 1 && !args.some((arg) => ["--", "--help", "-h"].includes(arg)))
    throw new UsageError("exec takes its command after --, as in: exec -- kubectl get nodes");
  const { values, positionals } = parse(args);
  if (values.help) return { kind: "help" };
  const [word, ...words] = positionals;
  if (word === undefined) throw new UsageError(`a command is missing: ${Object.keys(commands).join(", ")}`);
  const command = Object.hasOwn(commands, word) ? commands[word] : undefined;
  if (!command) throw new UsageError(`there is no command “${word}”`);
  const foreign = Object.keys(values).find((option) => !command.options.some((known) => known === option));
  if (foreign !== undefined) throw new UsageError(`${word} has no option --${foreign}`);
  return command.parse(checkName(values.name ?? defaultName), words, values);
}

function checkName(name: string): string {
  if (name.length <= maxNameLength && namePattern.test(name)) return name;
  throw new UsageError(`“${name}” can't name a cluster: use at most ${maxNameLength} small letters, digits and dashes`);
}

function refuse(words: readonly string[]): void {
  if (words.length > 0) throw new UsageError(`“${words.join(" ")}” is too much`);
}

type Values = ReturnType<typeof parse>["values"];

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        name: { type: "string" },
        provider: { type: "string" },
        "own-engine": { type: "boolean" },
        "control-plane": { type: "boolean" },
        kubeconfig: { type: "string" },
        install: { type: "boolean" },
        output: { type: "string", short: "o" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function parseWish(values: Values): Wish {
  const { provider, kubeconfig } = values;
  const ownEngine = values["own-engine"] === true;
  const ways = [provider, kubeconfig, values["control-plane"]].filter((way) => way !== undefined);
  if (ways.length > 1) throw new UsageError("use one of --provider, --control-plane and --kubeconfig");
  if (ownEngine && provider !== "kind" && ways.length > 0) throw new UsageError("--own-engine is for --provider kind");
  if (kubeconfig !== undefined) return { provider: "kubeconfig", ownEngine, kubeconfig };
  if (values["control-plane"]) return { provider: "control-plane", ownEngine };
  if (provider === undefined) return ownEngine ? { provider: "kind", ownEngine } : undefined;
  if (provider !== "kind" && provider !== "native") throw new UsageError("--provider is kind or native");
  return { provider, ownEngine };
}
