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
  viewOf,
} from "./sandbox.ts";

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
  // Programs and libraries are the image's.
  const system = machine.system.filter(({ kind }) => kind === "scratch");
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
          mounts: viewOf({ own: user, machine: { ...machine, system } }, session, identity(session) ?? user),
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
