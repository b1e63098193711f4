/** What a session sees of the file system. Paths are absolute, and are the same inside and outside. */
export type Mount =
  /** A file or folder of the machine; `from` where it lies elsewhere. One that is not there is left out. */
  | { readonly kind: "read" | "write"; readonly path: string; readonly from?: string }
  /** A symbolic link. */
  | { readonly kind: "link"; readonly path: string; readonly to: string }
  /** An empty folder in memory, which anybody may write. */
  | { readonly kind: "scratch"; readonly path: string }
  /** An empty folder in place of the machine's. */
  | { readonly kind: "hidden"; readonly path: string };

/** Paths of one session. */
export interface SessionPlaces {
  readonly workspace: string;
  readonly agentDir: string;
  readonly team: readonly { readonly path: string; readonly readOnly: boolean }[];
  /** All that a session may see of its pair's folder: socket, instructions, and `etc`. */
  readonly shared: string;
  /** Files that stand for the machine's in /etc. */
  readonly etc: string;
}

/** What is the same for all sessions of a supervisor. */
export interface MachinePlaces {
  /** Tells this home from others. */
  readonly name: string;
  /** See `systemMounts`. */
  readonly system: readonly Mount[];
  /** Node, the programs' code, harnesses. */
  readonly readable: readonly string[];
  /** Folders of which a session sees only what is named one by one: the home, the run folder. */
  readonly hidden: readonly string[];
  /** Compiled code of the runner. */
  readonly runnerCache: string;
}

/** Everything that one session sees, parents before children: of two mounts the more special one wins. */
export function sessionView(machine: MachinePlaces, session: SessionPlaces): readonly Mount[] {
  const mounts: Mount[] = [
    ...machine.system,
    ...machine.readable.map((path): Mount => ({ kind: "read", path })),
    ...machine.hidden.map((path): Mount => ({ kind: "hidden", path })),
    { kind: "read", path: session.shared },
    ...etcFiles.map((name): Mount => ({ kind: "read", path: `/etc/${name}`, from: `${session.etc}/${name}` })),
    { kind: "write", path: session.workspace },
    { kind: "write", path: session.agentDir },
    ...session.team.map(({ path, readOnly }): Mount => ({ kind: readOnly ? "read" : "write", path })),
  ];
  return mounts.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

const etcFiles = ["passwd", "group", "hosts", "nsswitch.conf"] as const;

/** Text of the files that stand for the machine's in /etc: they name nobody and nothing of the machine. */
export function etcTexts(
  { uid, gid }: { readonly uid: number; readonly gid: number },
  home: string,
): Readonly<Record<(typeof etcFiles)[number], string>> {
  return {
    // The first of two lines with one id counts.
    passwd: `agent:x:${uid}:${gid}:agent:${home}:/bin/sh\nroot:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n`,
    group: `agent:x:${gid}:\nroot:x:0:\nnogroup:x:65534:\n`,
    hosts: `127.0.0.1 localhost ${hostName}\n::1 localhost\n`,
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
  };
}

/** The machine's name inside. */
export const hostName = "copepod";
