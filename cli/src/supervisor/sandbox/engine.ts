import type { Identity } from "./identity.ts";
import { hostName, type Mount } from "./view.ts";

/** Container engines that are used when the person asks for them. */
export type Engine = "docker" | "podman";

/** Has the tools that agents are used to. Node comes from the machine, so any image with glibc does. */
export const defaultImage = "docker.io/library/node:26-bookworm";

/** Bytes of each folder in memory, and processes of one session. */
const scratchBytes = 1024 * 1024 * 1024;
const maxProcesses = 4_096;

export interface Container {
  readonly engine: Engine;
  readonly image: string;
  /** Of the container: one per session, so that the next one finds what was left of the last. */
  readonly name: string;
  /** Parents before children. What is not among them is the image's. */
  readonly mounts: readonly Mount[];
  readonly user: Identity;
  /** The engine runs as root too, so that ids inside are the machine's. */
  readonly isRoot: boolean;
  /** Names come from the environment of the command, so that no value is in its arguments. */
  readonly env: readonly string[];
  /** The folder to start in. */
  readonly folder: string;
  /** Program and arguments. */
  readonly program: readonly string[];
}

/** What is left of a killed supervisor's container goes first. */
const removeAndRun = '"$0" rm --force "$1" >/dev/null 2>&1; shift; exec "$0" "$@"';

/** The command line that runs a program in a container. */
export function engineCommand(container: Container): readonly string[] {
  const { engine, image, name, program } = container;
  return ["/bin/sh", "-c", removeAndRun, engine, name, "run", ...runArguments(container), image, ...program];
}

function runArguments({ engine, name, mounts, user, isRoot, env, folder }: Container): readonly string[] {
  return [
    ...["--rm", "--interactive", "--init", "--name", name, "--pull", "never"],
    ...["--network", "none", "--hostname", hostName, "--user", `${user.uid}:${user.gid}`],
    ...(user.groups ?? []).flatMap((group) => ["--group-add", String(group)]),
    ...(engine === "podman" && !isRoot ? ["--userns", "keep-id"] : []),
    ...["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", String(maxProcesses)],
    ...["--read-only", "--shm-size", String(scratchBytes)],
    ...mounts.flatMap(mountArgument),
    ...env.flatMap((name) => ["--env", name]),
    ...["--workdir", folder],
  ];
}

function mountArgument(mount: Mount): readonly string[] {
  switch (mount.kind) {
    case "read":
      return ["--mount", `${bindOf(mount)},readonly`];
    case "write":
      return ["--mount", bindOf(mount)];
    case "scratch":
      return ["--tmpfs", `${mount.path}:rw,exec,mode=1777,size=${scratchBytes}`];
    case "hidden":
      return ["--tmpfs", `${mount.path}:mode=0755`];
    case "link":
      // No engine can make one, and none is needed: links are the image's.
      return [];
  }
}

const bindOf = ({ path, from = path }: { readonly path: string; readonly from?: string }): string =>
  `type=bind,source=${from},target=${path}`;

/** The command line that ends a container: the death of the command that started it does not. */
export const endCommand = (engine: Engine, name: string): readonly string[] => [engine, "rm", "--force", name];
