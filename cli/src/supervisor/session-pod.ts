import { createHash, randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { ProxyRules } from "@copepod/core/proxy-rules";
import type { Pod, TeamWorkspace } from "@copepod/core/supervisor-api";
import { nodeFlags } from "@copepod/credential-proxy/node-flags";
import { folderName } from "../home/layout.ts";
import { nodeProgram, type Program } from "./child.ts";
import { type PairFolders, pairFolders, proxyEnvironment, runnerEnvironment } from "./commands.ts";
import type { PodState } from "./decide.ts";
import { type Kept, keepRunning } from "./keep.ts";
import type { LogFile } from "./log-file.ts";
import type { SupervisorDeps } from "./supervisor-deps.ts";

interface PodInput {
  /** Row keys. */
  readonly session: string;
  readonly group: string;
  readonly epoch: number;
  readonly rules: ProxyRules;
  readonly team: readonly TeamWorkspace[];
}

/** One proxy and one runner, which share an identity (pod UID, token) that outlives a restart of either. */
export class SessionPod {
  readonly epoch: number;
  #stage: PodState["stage"] = "up";
  readonly #input: PodInput;
  readonly #publish: (pod: Pod) => void;
  readonly #deps: SupervisorDeps;
  readonly #folders: PairFolders;
  readonly #podUid = randomUUID();
  #rules: string;
  readonly #token = randomBytes(32).toString("base64url");
  readonly #kept: Kept[] = [];
  readonly #logs: LogFile[] = [];
  readonly #started = new Set<string>();

  /**
   * @param publish called with each state of the pod, the first time before anything is started.
   * @throws CopepodError `invalid` for a name that can't be a folder
   */
  constructor(input: PodInput, publish: (pod: Pod) => void, deps: SupervisorDeps) {
    this.epoch = input.epoch;
    this.#rules = JSON.stringify(input.rules);
    this.#input = input;
    this.#publish = publish;
    this.#deps = deps;
    this.#folders = pairFolders(deps.places, {
      group: folderName(input.group),
      session: folderName(input.session),
      short: this.#podUid.replaceAll("-", "").slice(0, 12),
      team: input.team.map(({ workspace, readOnly }) => ({ name: folderName(workspace), readOnly })),
    });
    this.#tell("Starting");
    const placeholder = randomBytes(32).toString("base64url");
    const { places, scripts, sandbox, childEnvironment } = deps;
    const session = { ...input, folders: this.#folders };
    const forProxy = proxyEnvironment(places, this.#folders, placeholder, sandbox.identity(session));
    const forRunner = runnerEnvironment(places, this.#folders, { placeholder, sandbox: sandbox.kind });
    this.#keep("proxy", () => nodeProgram(scripts.proxy, { ...childEnvironment, ...forProxy }, nodeFlags));
    this.#keep("runner", () => {
      sandbox.prepare(session);
      return sandbox.command(session, { script: scripts.runner, env: { ...childEnvironment, ...forRunner } });
    });
  }

  get stage(): PodState["stage"] {
    return this.#stage;
  }

  /** The rules from now on, also of a proxy that runs. */
  putRules(rules: ProxyRules): void {
    const text = JSON.stringify(rules);
    if (text === this.#rules || this.#stage !== "up") return;
    writePrivate(this.#folders.rulesFile, text);
    this.#rules = text;
  }

  /** Ends both; resolves when both are gone and their folder in the run folder is removed. May be called again. */
  async end(graceMs: number): Promise<void> {
    if (this.#stage === "up") this.#tell("Draining");
    this.#stage = "ending";
    await Promise.all(this.#kept.map((one) => one.end(graceMs)));
    for (const log of this.#logs) log[Symbol.dispose]();
    // What stays is in the way of nothing: the folder's name is this pod's.
    await rm(this.#folders.own, { recursive: true, force: true }).catch((error: unknown) => {
      this.#deps.log.warn({ session: this.#input.session, err: error }, "folder of an ended session stays");
    });
  }

  /** Ends the grace time of a running `end`. */
  kill(): void {
    for (const one of this.#kept) one.kill();
  }

  #keep(program: "proxy" | "runner", command: () => Program): void {
    const log = this.#deps.openLog(`${program}-${folderName(this.#input.session)}`);
    this.#logs.push(log);
    this.#kept.push(
      keepRunning(
        {
          name: `${program} of ${this.#input.session}`,
          start: () => {
            this.#deps.ensureRunFolder();
            this.#prepare();
            return this.#deps.startChild({ ...command(), log });
          },
          onStarted: () => this.#hearStarted(program),
          onFailing: (reason) => {
            this.#fail(`the ${program} ${reason}`);
            return false;
          },
        },
        this.#deps,
      ),
    );
  }

  /** What is in the run folder belongs to this pair. May be done again. */
  #prepare(): void {
    mkdirSync(this.#folders.instructions, { recursive: true, mode: 0o700 });
    writePrivate(this.#folders.tokenFile, this.#token);
    writePrivate(this.#folders.rulesFile, this.#rules);
  }

  /** Running is said once, when both were started. */
  #hearStarted(program: "proxy" | "runner"): void {
    if (this.#started.size === 2) return;
    this.#started.add(program);
    if (this.#started.size === 2 && this.#stage === "up") this.#tell("Running");
  }

  #fail(reason: string): void {
    if (this.#stage !== "up") return;
    this.#stage = "failed";
    this.#deps.log.warn({ session: this.#input.session, epoch: this.epoch, reason }, "session failed to start");
    this.#tell("Failed", reason);
    this.#deps.background(Promise.all(this.#kept.map((one) => one.end(0))));
  }

  #tell(phase: Pod["phase"], reason?: string): void {
    this.#publish({
      session: this.#input.session,
      epoch: this.epoch,
      podUid: this.#podUid,
      tokenHash: createHash("sha256").update(this.#token).digest("hex"),
      phase,
      ...(reason === undefined ? {} : { reason }),
    });
  }
}

/** For the own user only, and in one step: the other program of the pair may be reading it just now. */
function writePrivate(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
