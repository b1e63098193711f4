import { join } from "node:path";
import type { Sandbox as SandboxKind } from "@copepod/agent-image/runner/config";
import { environment } from "@copepod/core/environment";
import type { HomeLayout, RunLayout } from "../home/layout.ts";
import type { Identity } from "./sandbox/identity.ts";

/**
 * Names that any program may need from the person's environment. Everything else stays out, keys above all, and
 * NODE_OPTIONS, by which an inspector would open onto processes that have keys.
 */
const passedOn = [
  ...["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "NODE_EXTRA_CA_CERTS"],
  environment.retentionDays,
];

/** Where Node keeps compiled code between starts: a third less memory, and a faster start. */
export const compileCache = "NODE_COMPILE_CACHE";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Places {
  readonly home: HomeLayout;
  readonly run: RunLayout;
  readonly logLevel: string;
  /** Where harnesses are installed. */
  readonly harnessesDir: string;
}

/** What every child gets. */
export const commonEnvironment = (own: Environment, logLevel: string): Record<string, string> => ({
  ...pick(own, passedOn),
  [environment.logLevel]: logLevel,
  [environment.endWithStdin]: "1",
});

/** What the command line of a container engine gets. */
export const engineEnvironment = (own: Environment): Record<string, string> =>
  pick(own, ["PATH", "HOME", "XDG_RUNTIME_DIR", "DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST"]);

function pick(own: Environment, names: readonly string[]): Record<string, string> {
  const picked = names.flatMap((name) => {
    const value = own[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(picked);
}

export function routerEnvironment({ home, run }: Places): Record<string, string> {
  return {
    [environment.home]: home.home,
    [environment.mailboxSocket]: run.mailboxSocket,
    [environment.channelSocket]: run.channelSocket,
    [environment.adminSocket]: run.adminSocket,
    [environment.supervisorSocket]: run.supervisorSocket,
    [compileCache]: home.cache,
  };
}

export function hostEnvironment({ home, run }: Places, type: string, tokenFile: string): Record<string, string> {
  return {
    [compileCache]: home.cache,
    [environment.channelSocket]: run.channelSocket,
    [environment.channelType]: type,
    [environment.tokenFile]: tokenFile,
  };
}

export interface PairFolders {
  /** For this pair only; gone with it. */
  readonly own: string;
  readonly tokenFile: string;
  readonly rulesFile: string;
  /** All of the pair's folder that the agent's processes may see. */
  readonly shared: string;
  readonly proxySocket: string;
  readonly instructions: string;
  /** Files that stand for the machine's in the agent's /etc. */
  readonly etc: string;
  readonly workspace: string;
  readonly agentDir: string;
  /** Below `home.workspaces`. */
  readonly team: readonly TeamFolder[];
}

export interface TeamFolder {
  readonly name: string;
  readonly path: string;
  readonly readOnly: boolean;
}

/**
 * @param group, session, team: folder names, already checked.
 * @param short names the pair in the run folder, where paths must be short.
 */
export function pairFolders(
  { home, run }: Places,
  names: { group: string; session: string; short: string; team?: readonly Omit<TeamFolder, "path">[] },
): PairFolders {
  const own = join(run.sessions, names.short);
  const shared = join(own, "p");
  const volume = join(home.home, "volumes", names.group);
  return {
    own,
    tokenFile: join(own, "token"),
    rulesFile: join(own, "rules.json"),
    shared,
    proxySocket: join(shared, "proxy.sock"),
    instructions: join(shared, "instructions"),
    etc: join(shared, "etc"),
    workspace: join(volume, "sessions", names.session),
    agentDir: join(volume, "agent"),
    team: (names.team ?? []).map((one) => ({ ...one, path: join(home.workspaces, one.name) })),
  };
}

export function proxyEnvironment(
  { home, run }: Places,
  folders: PairFolders,
  placeholder: string,
  agent: Identity | undefined,
): Record<string, string> {
  return {
    [environment.proxySocket]: folders.proxySocket,
    ...(agent ? { [environment.socketOwner]: `${agent.uid}:${agent.gid}` } : {}),
    [environment.placeholder]: placeholder,
    [environment.mailboxSocket]: run.mailboxSocket,
    [environment.tokenFile]: folders.tokenFile,
    [environment.rulesFile]: folders.rulesFile,
    [environment.keysDir]: home.keys,
    [environment.instructionsDir]: folders.instructions,
    [compileCache]: home.cache,
  };
}

export function runnerEnvironment(
  { home, harnessesDir }: Places,
  folders: PairFolders,
  { placeholder, sandbox }: { readonly placeholder: string; readonly sandbox: SandboxKind },
): Record<string, string> {
  return {
    [environment.sandbox]: sandbox,
    [environment.harnessesDir]: harnessesDir,
    [environment.proxySocket]: folders.proxySocket,
    [environment.placeholder]: placeholder,
    [environment.workspace]: folders.workspace,
    [environment.agentDir]: folders.agentDir,
    ...(folders.team.length === 0 ? {} : { [environment.teamDir]: home.workspaces }),
    [environment.instructionsDir]: folders.instructions,
    HOME: join(folders.workspace, "home"),
    // Whoever writes a cache decides what its readers run: sessions only read this one.
    [compileCache]: home.runnerCache,
  };
}
