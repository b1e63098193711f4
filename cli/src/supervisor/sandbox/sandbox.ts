import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Sandbox as SandboxKind } from "@copepod/agent-image/runner/config";
import type { Program } from "../child.ts";
import type { PairFolders } from "../commands.ts";
import { compiledCodeMounts } from "../compiled-code.ts";
import { bubblewrapCommand, type Tools } from "./bubblewrap.ts";
import { type Identity, identityOf } from "./identity.ts";
import { giveFolders, makeFolders, takeFoldersBack } from "./own-folders.ts";
import { etcTexts, type MachinePlaces, type Mount, sessionView } from "./view.ts";

export interface SandboxedSession {
  /** Row keys. */
  readonly session: string;
  readonly group: string;
  readonly folders: PairFolders;
}

/** A program of this repository and its environment. */
export interface NodeProgram {
  readonly script: string;
  readonly env: Readonly<Record<string, string>>;
}

/** What keeps sessions apart from the machine, and from each other. */
export interface Sandbox {
  readonly kind: SandboxKind;
  /** Who the session's processes are; undefined = the same user as the supervisor. */
  identity(session: SandboxedSession): Identity | undefined;
  /** Makes the session's folders as its processes need them. To be called before each start. */
  prepare(session: SandboxedSession): void;
  /** What the supervisor starts, so that the program runs inside. */
  command(session: SandboxedSession, program: NodeProgram): Program;
}

/** No sandbox: sessions are ordinary processes of this user. */
export function withoutSandbox(kind: "none" | "waived", own: Identity): Sandbox {
  return {
    kind,
    identity: () => undefined,
    prepare({ folders }) {
      makeFolders(folders);
      if (own.uid === 0) takeFoldersBack(folders);
    },
    command: (_session, { script, env }) => ({ argv: [process.execPath, script], env, askedBy: "signal" }),
  };
}

export interface InsideMachine {
  readonly own: Identity;
  readonly machine: MachinePlaces;
}

export function bubblewrapSandbox(tools: Tools, { own, machine }: InsideMachine): Sandbox {
  const isRoot = own.uid === 0;
  const identity = (session: SandboxedSession) => (isRoot ? identityOf(session) : undefined);
  return {
    kind: "bubblewrap",
    identity,
    prepare(session) {
      prepareInside(session, identity(session) ?? own);
      if (isRoot) giveFolders(session.folders, identityOf(session));
    },
    command(session, { script, env }) {
      return {
        argv: bubblewrapCommand({
          tools,
          mounts: viewOf({ own, machine }, session, identity(session) ?? own),
          become: identity(session),
          folder: session.folders.workspace,
          program: [process.execPath, script],
        }),
        env: insideEnvironment(env),
        askedBy: "pipe",
      };
    },
  };
}

/** What a session sees, by whatever means it is shown. @param who the session's user */
export function viewOf(
  { own, machine }: InsideMachine,
  { folders }: SandboxedSession,
  who: Identity,
): readonly Mount[] {
  const readable = machine.readable.filter((path) => existsSync(path));
  const system = [...machine.system, ...compiledCodeMounts(machine.runnerCache, own.uid, who.uid)];
  return sessionView({ ...machine, system, readable }, folders);
}

/** The agent's folders stay for ever; what it shares with its proxy belongs to this pair, and is only read inside. */
export function prepareInside({ folders }: SandboxedSession, identity: Identity): void {
  makeFolders(folders);
  for (const folder of [folders.shared, folders.instructions, folders.etc]) {
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o755);
  }
  for (const [name, text] of Object.entries(etcTexts(identity, join(folders.workspace, "home")))) {
    const path = join(folders.etc, name);
    writeFileSync(path, text);
    chmodSync(path, 0o644);
  }
}

/** What the person has set for the programs of the machine leads nowhere inside. */
export function insideEnvironment(env: Readonly<Record<string, string>>): Record<string, string> {
  const { NODE_OPTIONS: _options, NODE_EXTRA_CA_CERTS: _certificates, ...rest } = env;
  return { ...rest, PATH: `${dirname(process.execPath)}:${systemPath}`, TMPDIR: "/tmp" };
}

const systemPath = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";
