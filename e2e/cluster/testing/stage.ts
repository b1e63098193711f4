import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { findBinaries } from "../binaries/find.ts";
import type { ProviderName } from "../cluster.ts";
import { requirePackages } from "../machine/packages.ts";
import { findProcess } from "../machine/processes.ts";
import { programFolders } from "../machine/programs.ts";

export const patienceMs = 60_000;
/** How long nothing has to come before it counts as blocked; what passes needs a few milliseconds. */
const silenceSeconds = 2;

const main = fileURLToPath(new URL("../main.ts", import.meta.url));
export const fixture = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** @throws CopepodError `notFound` that says what to install */
export async function findBusybox(): Promise<string> {
  const folders = programFolders(process.env.PATH);
  const options = { install: false, folders, say: () => {}, signal: new AbortController().signal };
  return (await requirePackages(["busybox-static"], options))["busybox-static"];
}

/** @returns why a cluster can't be tried here, for the `skip` of a test; with COPEPOD_REQUIRE_CLUSTER=1 it is tried anyway */
export const gate = (can: boolean, needs: string): string | false =>
  !can && process.env.COPEPOD_REQUIRE_CLUSTER !== "1" && needs;

type CommandLine = readonly [program: string, args: readonly string[], env: NodeJS.ProcessEnv];

export interface Answer {
  readonly code: number | null;
  readonly output: string;
  readonly complaint: string;
}

export interface StageOptions {
  readonly provider: ProviderName;
  /** Of `up`, beside the provider. */
  readonly upOptions?: readonly string[];
  /** Its end is the end of all that runs of the cluster: as it is called in the cluster's folder. */
  readonly life: string;
}

/** One cluster, used as a person would: by the tool and kubectl. Its state is in a folder of its own. */
export class Stage {
  /** Nothing else on the machine is called so. */
  readonly name: string;
  readonly home: string;
  readonly #options: StageOptions;

  constructor(options: StageOptions, before?: Stage) {
    this.name = before ? `${before.name}-two` : `e2e-${process.pid}`;
    this.home = before?.home ?? mkdtempSync(join(tmpdir(), "cluster-story-"));
    this.#options = options;
  }

  /** Another cluster in the same home. */
  beside(): Stage {
    return new Stage(this.#options, this);
  }

  get folder(): string {
    return join(this.home, "copepod", "clusters", this.name);
  }

  /** The command line of a verb of the tool, and the environment that it needs. */
  words(verb: string, ...args: readonly string[]): CommandLine {
    return [
      process.execPath,
      [main, verb, `--name=${this.name}`, ...args],
      { ...process.env, XDG_STATE_HOME: this.home },
    ];
  }

  async cluster(verb: string, ...args: readonly string[]): Promise<Answer> {
    return await run(this.words(verb, ...args), verb === "up" ? "tell" : undefined);
  }

  async up(): Promise<void> {
    const { provider, upOptions = [] } = this.#options;
    outputOf(await this.cluster("up", `--provider=${provider}`, ...upOptions));
  }

  async down(): Promise<void> {
    outputOf(await this.cluster("down"));
  }

  async kubectl(...args: readonly string[]): Promise<Answer> {
    const { kubectl } = await findBinaries(["kubectl"], {
      env: process.env,
      say,
      signal: new AbortController().signal,
    });
    const places = [`--kubeconfig=${join(this.folder, "kubeconfig")}`, `--cache-dir=${join(this.home, "kubectl")}`];
    return await run([kubectl, [...places, ...args], process.env]);
  }

  async ask(...args: readonly string[]): Promise<string> {
    return outputOf(await this.kubectl(...args));
  }

  /** @returns when the pod is ready */
  async ready(pod: string, namespace = "story"): Promise<void> {
    const words = ["--for=condition=Ready", `--namespace=${namespace}`, `pod/${pod}`, `--timeout=${patienceMs}ms`];
    await this.ask("wait", ...words);
  }

  async shell(pod: string, command: string): Promise<Answer> {
    return await this.kubectl("exec", "--namespace=story", pod, "--", "sh", "-c", command);
  }

  /** What a pod gets from a web server; empty when nothing comes. */
  async read(pod: string, host: string, port: number): Promise<string> {
    const request = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w ${silenceSeconds} ${host} ${port}`;
    return (await this.shell(pod, request)).output;
  }

  async readsPage(pod: string): Promise<boolean> {
    return (await this.read(pod, webAddress, 80)).includes("written by 1000");
  }

  /** Id of the process by which all of it lives. */
  async life(): Promise<number | undefined> {
    return (await findProcess(this.folder, this.#options.life))?.pid;
  }

  async remove(): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }
}

/** Of the Service in `story.yaml`. */
export const webAddress = "web.story.svc.cluster.local";

export function outputOf({ code, output, complaint }: Answer): string {
  assert.equal(code, 0, complaint);
  return output;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function run([program, args, env]: CommandLine, tell?: "tell"): Promise<Answer> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env });
  if (tell) child.stderr.pipe(process.stderr, { end: false });
  const [output, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code, output, complaint };
}
