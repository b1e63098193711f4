import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { caches } from "./caches.ts";

export type CacheName = keyof typeof caches;

const listedSchema = z.object({
  listMs: z.number(),
  relistMs: z.number(),
  objects: z.number(),
  /** After a collection, less what was there before the first list. */
  heapBytes: z.number(),
  startRssMb: z.number(),
  restRssMb: z.number(),
  /** Highest resident memory from here on. */
  listPeakRssMb: z.number(),
  relistPeakRssMb: z.number(),
});
export type Listed = z.infer<typeof listedSchema>;

const eventsSchema = z.object({ latenciesMs: z.array(z.number()) });

/** A process that does nothing but keep one cache. */
export class CacheProcess implements AsyncDisposable {
  readonly #child: ChildProcess;

  constructor(name: CacheName, kubeconfigFile: string) {
    const script = fileURLToPath(new URL("main.ts", import.meta.url));
    const args = ["--expose-gc", script, name, kubeconfigFile];
    this.#child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  }

  /** Lists, and lists again, and says what that took. */
  async list(): Promise<Listed> {
    return listedSchema.parse(await this.#ask("list"));
  }

  /** How long each change took to arrive since the last time. */
  async latenciesMs(): Promise<readonly number[]> {
    return eventsSchema.parse(await this.#ask("events")).latenciesMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill();
    await exited;
  }

  async #ask(question: string): Promise<unknown> {
    const end = new AbortController();
    const answer = once(this.#child, "message", { signal: end.signal });
    const exit = once(this.#child, "exit", { signal: end.signal }).then(() => {
      throw new Error("the process with the cache ended");
    });
    this.#child.send(question);
    try {
      const [message] = await Promise.race([answer, exit]);
      return message;
    } finally {
      end.abort();
      await Promise.allSettled([answer, exit]);
    }
  }
}
