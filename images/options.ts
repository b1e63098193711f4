import { parseArgs } from "node:util";
import { CopepodError } from "@copepod/core/errors";
import { type ImageName, imageNames } from "./catalogue.ts";

export const help = `
Container images of Copepod, made without an engine.

  npm run images -- build [image…]           make archives, which \`docker load\` and clusters take
  npm run images -- load [image…]            make them and give them to a cluster of \`npm run cluster\`
  npm run images -- push [image…]            make them and push them by skopeo, with the keys of your engine's login
  npm run images -- unpack <image> <folder>  make the image's root file system in the folder
  npm run images -- lock                     take the Debian packages of today from now on

Images: ${imageNames.join(", ")} (default: all)

  --registry <host[/path]>  how images are named: <registry>/copepod/<image>:<version> (default: localhost)
  --unlocked                take the Debian packages of today where the mirror no longer has those of the lock
  --cluster <name>          of load: which cluster
  -o json                   for programs (then \`npm run --silent images\`, too)
  -h, --help                this text

Exit codes: 0 done, 1 failed, 2 the command line is not valid, 130 interrupted.
`.trimStart();

export interface Settings {
  readonly registry: string;
  readonly unlocked: boolean;
  readonly asJson: boolean;
}

export type Invocation =
  | { readonly kind: "help" | "lock" }
  | ({ readonly kind: "build" | "push"; readonly images: readonly ImageName[] } & Settings)
  | ({ readonly kind: "load"; readonly images: readonly ImageName[]; readonly cluster: string | undefined } & Settings)
  | ({ readonly kind: "unpack"; readonly image: ImageName; readonly folder: string } & Settings);

/** The command line is not valid; the message says how. */
export class UsageError extends CopepodError {
  constructor(message: string) {
    super("invalid", `${message}; see --help`);
  }
}

/** @throws UsageError */
export function parseInvocation(args: readonly string[]): Invocation {
  const { values, positionals } = parse(args);
  const [command, ...words] = positionals;
  if (values.help) return { kind: "help" };
  const settings: Settings = {
    registry: values.registry ?? "localhost",
    unlocked: values.unlocked ?? false,
    asJson: isJson(values.output),
  };
  if (values.cluster !== undefined && command !== "load") throw new UsageError("--cluster is an option of load");
  switch (command) {
    case "build":
    case "push":
      return { kind: command, images: toImages(words), ...settings };
    case "load":
      return { kind: "load", images: toImages(words), cluster: values.cluster, ...settings };
    case "unpack":
      return { kind: "unpack", ...toTarget(words), ...settings };
    case "lock":
      return { kind: "lock" };
    default:
      throw new UsageError(command === undefined ? "a command is missing" : `there is no command “${command}”`);
  }
}

function toTarget([image, folder, ...others]: readonly string[]): { image: ImageName; folder: string } {
  if (image === undefined || folder === undefined || others.length > 0)
    throw new UsageError("unpack takes an image and a folder");
  return { image: toImage(image), folder };
}

const toImages = (words: readonly string[]): readonly ImageName[] =>
  words.length === 0 ? imageNames : words.map(toImage);

function toImage(word: string): ImageName {
  const name = imageNames.find((known) => known === word);
  if (name !== undefined) return name;
  throw new UsageError(`there is no image “${word}”; there are: ${imageNames.join(", ")}`);
}

function isJson(output: string | undefined): boolean {
  if (output === undefined || output === "json") return output === "json";
  throw new UsageError("-o knows json only");
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        registry: { type: "string" },
        unlocked: { type: "boolean" },
        cluster: { type: "string" },
        output: { type: "string", short: "o" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
