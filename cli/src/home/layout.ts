import { createHash } from "node:crypto";
import { join } from "node:path";
import { CopepodError } from "@copepod/core/errors";

/** Longest path of a Unix socket in bytes: Linux takes 107, macOS 103. */
const maxSocketPathBytes = 103;
/** Longest part that is put behind the run folder: `/s/<12 hex>/p/proxy.sock`. */
const longestSocket = "/s/0123456789ab/p/proxy.sock";

/** Places below `$COPEPOD_HOME`. */
export interface HomeLayout {
  readonly home: string;
  readonly resources: string;
  readonly logs: string;
  /** What agent groups share with others, one folder per workspace. */
  readonly workspaces: string;
  /** Files that agents have sent to people at a terminal, one folder per session. */
  readonly received: string;
  /** One folder per secret, one file per key. */
  readonly keys: string;
  /** Compiled code of the programs that are trusted. */
  readonly cache: string;
  /** Compiled code of the runner: written by the supervisor alone, only read by sessions. */
  readonly runnerCache: string;
  readonly lock: string;
  /** Symbolic link to the run folder of the supervisor that was started last. */
  readonly runLink: string;
}

export function homeLayout(home: string): HomeLayout {
  return {
    home,
    resources: join(home, "resources"),
    logs: join(home, "logs"),
    workspaces: join(home, "workspaces"),
    received: join(home, "received"),
    keys: join(home, "keys"),
    cache: join(home, "cache"),
    runnerCache: join(home, "cache", "runner"),
    lock: join(home, "supervisor.lock"),
    runLink: join(home, "run"),
  };
}

/** Places below the run folder. */
export interface RunLayout {
  readonly folder: string;
  readonly adminSocket: string;
  readonly mailboxSocket: string;
  readonly channelSocket: string;
  readonly supervisorSocket: string;
  /** One folder per session pair. */
  readonly sessions: string;
  /** Token files of adapter hosts. */
  readonly hosts: string;
  /** One file per child, so that a supervisor that takes over finds what was left. */
  readonly children: string;
}

export function runLayout(folder: string): RunLayout {
  return {
    folder,
    adminSocket: join(folder, "admin.sock"),
    mailboxSocket: join(folder, "mailbox.sock"),
    channelSocket: join(folder, "channel.sock"),
    supervisorSocket: join(folder, "supervisor.sock"),
    sessions: join(folder, "s"),
    hosts: join(folder, "c"),
    children: join(folder, "children"),
  };
}

/**
 * The run folder's path is short and the same for each start with the same home.
 * @param realHome `$COPEPOD_HOME` without symbolic links.
 */
export function runFolderFor(realHome: string, uid: number, runtimeDir: string | undefined): string {
  const hash = createHash("sha256").update(realHome).digest("hex").slice(0, 12);
  const preferred = runtimeDir ? join(runtimeDir, `copepod-${hash}`) : undefined;
  if (preferred && Buffer.byteLength(preferred + longestSocket) <= maxSocketPathBytes) return preferred;
  return `/tmp/copepod-${uid}-${hash}`;
}

/** Names of Kubernetes objects: nothing in them can leave a folder. */
const safeName = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;

/**
 * The name in a row key `default/<name>`, fit to be a folder. Locally there is one namespace, so folders are flat.
 * @throws CopepodError `invalid`
 */
export function folderName(key: string): string {
  const [namespace, name, ...rest] = key.split("/");
  if (namespace === "default" && name !== undefined && rest.length === 0 && safeName.test(name)) return name;
  throw new CopepodError("invalid", `"${key.slice(0, 100)}" is not "default/<name>" with a name of a-z, 0-9 and -`);
}
