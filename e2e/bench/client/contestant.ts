import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { buildTool } from "../../cluster/binaries/build.ts";
import { foldersOf } from "../../cluster/machine/folders.ts";
import type { BenchContext } from "../bench.ts";
import { pssMb } from "../memory/pss.ts";
import type { Job } from "./candidate.ts";

export const contestants = ["ours", "clientNode", "clientGo"] as const;
export type ContestantName = (typeof contestants)[number];

/** Before the name of a figure. */
export const figureNames: Readonly<Record<ContestantName, string>> = {
  ours: "",
  clientNode: "client_node_",
  clientGo: "client_go_",
};

export interface ContestantFiles {
  /** The client-go program; see `buildClientGo`. */
  readonly clientGo: string;
  readonly kubeconfig: string;
}

const tookSchema = z.array(z.number());

/** @returns the client-go program, built where that was not yet done. @throws CopepodError `notFound` without Go */
export async function buildClientGo({ say, signal }: BenchContext): Promise<string> {
  const folder = fileURLToPath(new URL("go", import.meta.url));
  const cache = join(foldersOf(process.env, homedir()).cache, "binaries");
  const tool = { name: "bench-client-go", folder, packages: "." };
  return join(await buildTool(tool, [], { cache, env: process.env, say, signal }), tool.name);
}

/** A process that does the jobs with one client. */
export class Contestant implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>) {
    this.#child = child;
    this.#lines = lines;
  }

  static async start(name: ContestantName, { clientGo, kubeconfig }: ContestantFiles) {
    const script = fileURLToPath(new URL("main.ts", import.meta.url));
    const command = name === "clientGo" ? [clientGo] : [process.execPath, "--expose-gc", script, name];
    const [program = "", ...args] = [...command, kubeconfig];
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
    const contestant = new Contestant(child, createInterface({ input: child.stdout })[Symbol.asyncIterator]());
    await contestant.#expect("ready");
    return contestant;
  }

  get pssMb(): number {
    return pssMb(this.#child.pid ?? 0);
  }

  /** @returns milliseconds, one figure for each call or event */
  async perform(job: Job): Promise<readonly number[]> {
    this.#send(job);
    return tookSchema.parse(await this.#next());
  }

  /** @param write is called once the watches are open */
  async watch(job: Omit<Job, "do">, write: () => Promise<void>): Promise<readonly number[]> {
    this.#send({ do: "watch", ...job });
    await this.#expect("open");
    await write();
    return tookSchema.parse(await this.#next());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.stdin?.end();
    await exited;
  }

  #send(job: Job): void {
    this.#child.stdin?.write(`${JSON.stringify(job)}\n`);
  }

  async #expect(word: string): Promise<void> {
    const got = await this.#next();
    if (got !== word) throw new Error(`a client said ${JSON.stringify(got)} instead of "${word}"`);
  }

  async #next(): Promise<unknown> {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error("a client ended before its job was done");
    return JSON.parse(value);
  }
}
