import { dirname } from "node:path";
import type { Identity } from "./identity.ts";
import { hostName, type Mount } from "./view.ts";

/** Where bubblewrap is looked for, and what drops root's rights: folders that a session sees, so that both work inside. */
export const toolFolders = ["/usr/bin", "/bin", "/usr/local/bin"] as const;

export interface Tools {
  readonly bwrap: string;
  readonly setpriv: string;
}

/** Bytes that a session may put into each of its folders in memory. */
const scratchBytes = 1024 * 1024 * 1024;
/** Processes and threads of one session. */
const maxProcesses = 4_096;
const maxOpenFiles = 16_384;

/**
 * No core dumps, and bounds where the machine has no lower ones. Files are for the whole agent group, so that all its
 * sessions may change them. Of the two letters for processes each shell knows its own.
 */
const bounds = [
  "umask 0002",
  "ulimit -c 0",
  `ulimit -n ${maxOpenFiles} 2>/dev/null`,
  `{ ulimit -u ${maxProcesses} || ulimit -p ${maxProcesses}; } 2>/dev/null`,
  'exec "$@"',
].join("; ");

export const bounded = (program: readonly string[]): readonly string[] => ["/bin/sh", "-c", bounds, "sh", ...program];

export interface Inside {
  readonly tools: Tools;
  /** Parents before children. */
  readonly mounts: readonly Mount[];
  /** Whom a supervisor that is root becomes; undefined = it is not root, and stays who it is. */
  readonly become: Identity | undefined;
  /** The folder to start in. */
  readonly folder: string;
  /** Program and arguments. */
  readonly program: readonly string[];
}

/**
 * The command line that runs a program in the sandbox; its environment is the program's.
 *
 * One bubblewrap does it for an ordinary user. For root there are two: the outer one, still root, mounts what the session
 * sees, also from folders that only root may enter; then root's rights are dropped; the inner one makes the namespaces.
 * Only so does a file that belongs to root and is for root only stay closed.
 */
export function bubblewrapCommand({ tools, mounts, become, folder, program }: Inside): readonly string[] {
  const view = mountArguments(mounts);
  const run = ["--chdir", folder, "--", ...bounded(program)];
  if (!become) return [tools.bwrap, ...isolation, ...view, ...run];
  return [
    // A process in a user namespace may mount its own /proc only where it sees a whole one.
    ...[tools.bwrap, ...dieTogether, "--dev", "/dev", "--bind", "/proc", "/proc", ...view, "--"],
    ...dropRights(tools.setpriv, become),
    ...[tools.bwrap, "--bind", "/", "/", ...isolation, ...run],
  ];
}

/**
 * The outer bubblewrap has given up root's rights when it dies, and could not signal another user. The first process of
 * its pid namespace is still its own user; with that one the kernel ends all others.
 */
const dieTogether: readonly string[] = ["--die-with-parent", "--unshare-pid"];

/** All namespaces and no way to make another; no terminal to type into; /dev and /proc of its own. */
const isolation: readonly string[] = [
  ...["--die-with-parent", "--unshare-all", "--unshare-user", "--disable-userns", "--new-session"],
  ...["--hostname", hostName, "--proc", "/proc", "--dev", "/dev"],
  ...["--perms", "1777", "--size", String(scratchBytes), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"],
];

const dropRights = (setpriv: string, { uid, gid, groups = [] }: Identity): readonly string[] => [
  ...[setpriv, "--reuid", String(uid), "--regid", String(gid)],
  ...(groups.length === 0 ? ["--clear-groups"] : ["--groups", groups.join(",")]),
  ...["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"],
];

/** Nothing in memory but scratch folders stays writable. */
function mountArguments(mounts: readonly Mount[]): readonly string[] {
  const made = new Set<string>(["/"]);
  const sealed = ["/", ...mounts.filter(({ kind }) => kind === "hidden").map(({ path }) => path)];
  return [
    ...mounts.flatMap((mount) => [...parents(mount.path, made), ...mountArgument(mount)]),
    ...sealed.flatMap((path) => ["--remount-ro", path]),
  ];
}

/** Left to itself, bubblewrap makes some of them for their owner only. */
function parents(path: string, made: Set<string>): readonly string[] {
  const folder = dirname(path);
  const before = made.has(folder) ? [] : [...parents(folder, made), "--perms", "0755", "--dir", folder];
  made.add(folder).add(path);
  return before;
}

function mountArgument(mount: Mount): readonly string[] {
  switch (mount.kind) {
    case "read":
      return ["--ro-bind-try", mount.from ?? mount.path, mount.path];
    case "write":
      return ["--bind", mount.from ?? mount.path, mount.path];
    case "link":
      return ["--symlink", mount.to, mount.path];
    case "scratch":
      return ["--perms", "1777", "--size", String(scratchBytes), "--tmpfs", mount.path];
    case "hidden":
      return ["--perms", "0755", "--tmpfs", mount.path];
  }
}
