import * as code from "./hostile-code.ts";
import { node, python, sh } from "./hostile-code.ts";

/** One thing that a hostile program in a session tries. It has worked when the command ends with 0. */
export interface Attempt {
  readonly name: string;
  readonly argv: readonly string[];
  /**
   * Who shows outside that the attempt itself works: the user of the supervisor, or root where that user may not do it
   * either, or somebody without rights where root would have nothing to gain.
   */
  readonly control?: "root" | "nobody";
}

const asRoot = (name: string, argv: readonly string[]): Attempt => ({ name, argv, control: "root" });

/** Names of variables with a path that must not be readable. */
const secrets = {
  KEY: "a key",
  TOKEN: "the session's token",
  OTHER_TOKEN: "another session's token",
  RULES: "the rules of its proxy",
  QUEUE: "the queue",
  RESOURCE: "a resource",
  LOG: "a log",
  OTHER_SESSION: "a file of another session",
  OTHER_GROUP: "a file of another agent group",
  SSH_KEY: "a key in the person's own folder",
} as const;

const readAttempts: readonly Attempt[] = Object.entries(secrets).map(([variable, what]) => ({
  name: `reads ${what}`,
  argv: sh(`cat "$${variable}"`),
}));

const files: readonly Attempt[] = [
  ...readAttempts,
  asRoot("reads the machine's passwords", sh("cat /etc/shadow")),
  asRoot("reads a file of root's that lies in its own folder", sh('cat "$ROOT_FILE"')),
  { name: "reads a key through a symbolic link", argv: sh('ln -sfn "$KEY" "$LINK" && cat "$LINK"') },
  { name: "reads a key through a hard link", argv: sh('rm -f "$LINK" && ln "$KEY" "$LINK" && cat "$LINK"') },
  { name: "reads a key through the root of any process (Node)", argv: node(code.readThroughProc) },
  { name: "lists the home (Node)", argv: node(code.lists("HOME_FOLDER", "queue.db")) },
  { name: "lists the run folder (Node)", argv: node(code.lists("RUN_FOLDER", "admin.sock")) },
  asRoot("opens a file by its handle (Python)", python(code.opensByHandle)),
  asRoot("makes a device of the machine's memory (Python)", python(code.makesDevice)),
];

const processes: readonly Attempt[] = [
  { name: "finds a process of the machine", argv: sh('grep -qz "^$MARK" /proc/[0-9]*/cmdline') },
  {
    name: "reads the environment of a process of the machine",
    argv: sh('grep -qz "^MARK_OF=$MARK" /proc/[0-9]*/environ'),
  },
  { name: "signals a process of the machine (Node)", argv: node("process.kill(Number(process.env.PID), 0)") },
  { name: "signals another session's process", argv: sh('kill -0 "$OTHER_PID"') },
  { name: "enters the root of a process of the machine", argv: sh('ls "/proc/$PID/root/etc/shadow"') },
  asRoot("traces a process of the machine (Python)", python(code.traces)),
  asRoot("reads the memory of a process of the machine (Python)", python(code.readsMemory)),
];

const network: readonly Attempt[] = [
  {
    name: "connects to a service on loopback (Node)",
    argv: node(code.connects("{ host: '127.0.0.1', port: env.PORT }")),
  },
  { name: "asks a UDP service on loopback (Python)", argv: python(code.asksLoopback) },
  { name: "connects to an abstract socket (Python)", argv: python(code.connectsToAbstract) },
  { name: "connects to an address of the machine (Python)", argv: python(code.connectsToAddress) },
  { name: "asks a UDP service at an address of the machine (Python)", argv: python(code.asksAddress) },
  { name: "asks for the address of a name (Python)", argv: python(code.asksName) },
  asRoot("pings an address of the machine (Python)", python(code.pings)),
  { name: "connects to the admin socket (Node)", argv: node(code.connects("{ path: env.ADMIN }")) },
  { name: "connects to the mailbox (Node)", argv: node(code.connects("{ path: env.MAILBOX }")) },
  { name: "connects to the supervisor's socket (Node)", argv: node(code.connects("{ path: env.SUPERVISOR }")) },
  { name: "connects to another session's proxy (Node)", argv: node(code.connects("{ path: env.OTHER_PROXY }")) },
];

const changes: readonly Attempt[] = [
  { name: "changes its instructions", argv: sh(': >> "$INSTRUCTIONS"') },
  { name: "puts a file beside its instructions", argv: sh('touch "$INSTRUCTIONS.x" && rm "$INSTRUCTIONS.x"') },
  { name: "replaces the socket of its proxy", argv: sh('touch "$PROXY.x" && rm "$PROXY.x"') },
  asRoot("changes the runner's code", sh(': >> "$CODE"')),
  asRoot("puts a package beside the code", sh('mkdir "$PACKAGES/x" && rmdir "$PACKAGES/x"')),
  asRoot("puts a program beside Node", sh('touch "$NODE_FOLDER/x" && rm "$NODE_FOLDER/x"')),
  asRoot("changes a harness", sh(': >> "$HARNESS"')),
  asRoot("puts a program into /usr/bin", sh("touch /usr/bin/copepod-x && rm /usr/bin/copepod-x")),
  asRoot("puts a file into /etc", sh("touch /etc/copepod-x && rm /etc/copepod-x")),
  asRoot("changes a setting of the kernel", sh(": >> /proc/sys/kernel/core_pattern")),
];

const rights: readonly Attempt[] = [
  asRoot("mounts (Python)", python(code.mounts)),
  asRoot("mounts programs again, to write (Python)", python(code.mountsAgain)),
  asRoot("makes a user namespace", sh("unshare --user true")),
  asRoot("makes a user namespace without a program for it (Python)", python(code.unshares(0x1000_0000))),
  asRoot("makes a mount namespace (Python)", python(code.unshares(0x2_0000))),
  asRoot("enters a namespace (Python)", python(code.entersNamespace)),
  asRoot("changes its root (Python)", python(code.changesRoot)),
  asRoot("becomes root (Python)", python(code.becomesRoot)),
  { name: "becomes root by a setuid program", argv: sh('[ "$("$SETUID_ID" -u)" = 0 ]'), control: "nobody" },
  asRoot("allows itself core dumps (Python)", python(code.allowsCoreDumps)),
];

export const attempts: Readonly<Record<string, readonly Attempt[]>> = { files, processes, network, changes, rights };

/** What an agent is there to do. Without it, everything above would prove nothing. */
export const rightful: Readonly<Record<string, readonly string[]>> = {
  "may write in its session's and its group's folder and in /tmp": sh(
    'for folder in "$WORKSPACE" "$AGENT_DIR" /tmp /dev/shm; do touch "$folder/x" && rm "$folder/x" || exit 1; done',
  ),
  "may read its instructions": sh('grep -q . "$INSTRUCTIONS"'),
  "has the usual tools": sh("git --version && python3 -c 'import ssl, json' && node --version && perl -e 1"),
  "knows who it is": sh('[ "$(id -un)" = agent ] && [ "$(cd && pwd)" = "$WORKSPACE/home" ]'),
  "reaches its proxy, and a service of its own on loopback": node(`
import { connect, createServer } from "node:net";
const server = createServer().listen(0, "127.0.0.1", () =>
  connect(process.env.PROXY).once("connect", () =>
    connect(server.address().port, "127.0.0.1").once("connect", () => process.exit(0))));`),
};
