import { realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { supervisorApi } from "@copepod/core/supervisor-api";
import pino, { type Logger } from "pino";
import type { CliConfig } from "../config.ts";
import { type HomeLayout, homeLayout, type RunLayout, runFolderFor, runLayout } from "../home/layout.ts";
import { makeFolder, writingHome } from "../home/make-folder.ts";
import { type ApiServer, serveApi } from "../http/serve-api.ts";
import { createStartChild } from "./child.ts";
import { commonEnvironment, engineEnvironment } from "./commands.ts";
import { compileAhead } from "./compiled-code.ts";
import { type LastingServer, serveLasting } from "./lasting-server.ts";
import { takeLock } from "./lock.ts";
import { openLogFile } from "./log-file.ts";
import { endOrphans } from "./orphans.ts";
import { isOwnFolder, linkedRunFolder, linkRunFolder, prepareRunFolder, renewRunFolder } from "./run-folder.ts";
import { chooseSandbox, type SandboxChoice } from "./sandbox/choose-sandbox.ts";
import { machinePlaces } from "./sandbox/machine-places.ts";
import type { Sandbox } from "./sandbox/sandbox.ts";
import { Supervisor } from "./supervisor.ts";
import { defaultGraces, type Graces, type Scripts } from "./supervisor-deps.ts";

export interface SupervisorOptions {
  readonly config: Omit<CliConfig, "models">;
  readonly uid: number;
  readonly sandbox: SandboxChoice;
  say(sentence: string): void;
  readonly scripts?: Scripts;
  readonly graces?: Graces;
  random?(): number;
}

/** A supervisor with its lock, folders, socket and router. */
export interface OpenSupervisor {
  readonly run: RunLayout;
  readonly logs: string;
  readonly sandbox: Sandbox["kind"];
  /** See `Supervisor.routerFailed`. */
  readonly routerFailed: Promise<string>;
  /** Ends the whole system. May be called again. */
  close(): Promise<void>;
  /** Makes a running `close` end at once. */
  kill(): void;
}

/**
 * Starts the whole system for one home.
 * @throws CopepodError `alreadyRunning`, `invalid` (a home that can't be written), `forbidden` (a run folder of somebody else), `sandboxMissing`
 */
export async function openSupervisor(options: SupervisorOptions): Promise<OpenSupervisor> {
  const { config, uid } = options;
  const { harnessesDir } = config;
  const { home, lock } = await writingHome(config.home, () => lockHome(config.home));
  try {
    const folder = runFolderFor(home.home, uid, config.runtimeDir);
    const orphans = await endLeftBehind([(await linkedRunFolder(home)) ?? folder, folder], uid);
    const run = await prepareRunFolder(folder, uid);
    const own = openLogFile(join(home.logs, "supervisor.log"));
    const log = pino({ level: config.logLevel }, own);
    if (orphans > 0) log.warn({ orphans }, "processes of a killed supervisor ended");
    const sandbox = await openSandbox(options, home, run);
    log.info({ sandbox: sandbox.kind }, "sandbox of sessions");
    const childEnvironment = commonEnvironment(config.own, config.logLevel);
    let server: LastingServer | undefined;
    const supervisor = new Supervisor({
      places: { home, run, logLevel: config.logLevel, harnessesDir },
      scripts: options.scripts ?? installedScripts(),
      sandbox,
      childEnvironment,
      graces: options.graces ?? defaultGraces,
      startChild: createStartChild(run.children),
      ensureRunFolder: () => {
        if (renewRunFolder(run, uid)) log.warn({ run: run.folder }, "run folder was removed; made again");
        server?.renew();
      },
      openLog: (name) => openLogFile(join(home.logs, `${name}.log`)),
      monotonic: () => performance.now(),
      random: options.random ?? Math.random,
      background: (work) => {
        work.catch((error: unknown) => log.error({ err: error }, "background work failed"));
      },
      log,
      say: options.say,
    });
    server = await serveLasting(() => serveSupervisor(supervisor, run.supervisorSocket, log), log);
    await linkRunFolder(home, run.folder);
    log.info({ home: home.home, run: run.folder }, "supervisor started");
    supervisor.startRouter();
    const compiling = compileAhead({ home, harnessesDir, env: childEnvironment, log });
    const closeAll = async () => {
      await supervisor.close();
      await compiling[Symbol.asyncDispose]();
      await server?.[Symbol.asyncDispose]();
      log.info("supervisor ended");
      await rm(run.folder, { recursive: true, force: true });
      await rm(home.runLink, { force: true });
      own[Symbol.dispose]();
      lock[Symbol.dispose]();
    };
    let closed: Promise<void> | undefined;
    return {
      run,
      logs: home.logs,
      sandbox: sandbox.kind,
      routerFailed: supervisor.routerFailed,
      close: () => {
        closed ??= closeAll();
        return closed;
      },
      kill: () => supervisor.kill(),
    };
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

async function lockHome(path: string): Promise<{ readonly home: HomeLayout; readonly lock: Disposable }> {
  await makeFolder(path, 0o700);
  const home = homeLayout(await realpath(path));
  await makeFolder(home.logs, 0o700);
  return { home, lock: takeLock(home.lock) };
}

function openSandbox({ config, uid, sandbox }: SupervisorOptions, home: HomeLayout, run: RunLayout): Promise<Sandbox> {
  const engines = { image: config.sandboxImage, env: engineEnvironment(config.own) };
  return chooseSandbox(sandbox, engines, {
    own: { uid, gid: process.getgid?.() ?? 0 },
    machine: machinePlaces(home, run, config.harnessesDir),
  });
}

/** The killed supervisor may have had another environment, and so another run folder. */
async function endLeftBehind(folders: readonly string[], uid: number): Promise<number> {
  let ended = 0;
  for (const folder of folders) {
    if (await isOwnFolder(folder, uid)) ended += await endOrphans(runLayout(folder).children);
  }
  return ended;
}

function serveSupervisor(supervisor: Supervisor, socketPath: string, log: Logger): Promise<ApiServer> {
  return serveApi(
    supervisorApi,
    {
      putWanted: async ({ session, ...wish }) => {
        supervisor.putWanted(session, wish);
        return {};
      },
      putChannels: async ({ channels }) => {
        await supervisor.putChannels(channels);
        return {};
      },
      watch: async ({ version, waitMs }, { signal }) => {
        const { pods, hosts, ...rest } = await supervisor.watch(version, waitMs, signal);
        return { ...rest, pods: [...pods], hosts: [...hosts] };
      },
    },
    { socketPath, onFault: (error, call) => log.error({ err: error, call }, "call failed") },
  );
}

/** The programs' main files, wherever npm has put their packages. */
function installedScripts(): Scripts {
  const script = (name: string) => fileURLToPath(import.meta.resolve(name));
  return {
    router: script("@copepod/router/main"),
    host: script("@copepod/adapter-host/main"),
    proxy: script("@copepod/credential-proxy/main"),
    runner: script("@copepod/agent-image/runner/main"),
  };
}
