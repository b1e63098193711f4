import { existsSync } from "node:fs";
import { join } from "node:path";
import { folderName } from "../../home/layout.ts";
import { bounded } from "./bubblewrap.ts";
import { type Engine, endCommand, engineCommand } from "./engine.ts";
import { identityOf } from "./identity.ts";
import { giveFolders } from "./own-folders.ts";
import {
  type InsideMachine,
  insideEnvironment,
  prepareInside,
  type Sandbox,
  type SandboxedSession,
} from "./sandbox.ts";
import type { Mount } from "./view.ts";

export interface EngineChoice {
  readonly engine: Engine;
  readonly image: string;
  /** What the engine's command line needs of the person's environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** Sessions in containers of an engine that the person asked for. */
export function engineSandbox(
  { engine, image, env: own }: EngineChoice,
  { own: user, machine }: InsideMachine,
): Sandbox {
  const isRoot = user.uid === 0;
  const identity = (session: SandboxedSession) => (isRoot ? identityOf(session) : undefined);
  return {
    kind: engine,
    identity,
    prepare(session) {
      prepareInside(session, identity(session) ?? user);
      if (isRoot) giveFolders(session.folders, identityOf(session));
    },
    command(session, { script, env }) {
      const name = `${machine.name}-${folderName(session.session)}`;
      const inside = insideEnvironment(env);
      return {
        argv: engineCommand({
          ...{ engine, image, name, isRoot },
          mounts: [...machine.readable.filter((path) => existsSync(path)).map(readable), ...ownMounts(session)],
          user: identity(session) ?? user,
          env: Object.keys(inside).map((key) => (key in own ? `${key}=${inside[key]}` : key)),
          folder: session.folders.workspace,
          program: bounded([process.execPath, script]),
        }),
        env: { ...inside, ...own },
        askedBy: "pipe",
        alsoKill: endCommand(engine, name),
      };
    },
  };
}

const readable = (path: string): Mount => ({ kind: "read", path });

const ownMounts = ({ folders }: SandboxedSession): readonly Mount[] => [
  readable(folders.shared),
  ...["passwd", "group"].map((name): Mount => ({ kind: "read", path: `/etc/${name}`, from: join(folders.etc, name) })),
  { kind: "write", path: folders.workspace },
  { kind: "write", path: folders.agentDir },
];
