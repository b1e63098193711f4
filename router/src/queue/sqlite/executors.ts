import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { CopepodError } from "@copepod/core/errors";
import type { Logger } from "pino";
import type { Executor } from "./batcher.ts";
import { type EngineOptions, QueueEngine, type Result } from "./engine.ts";
import type { FromThread, ThreadOptions, ToThread } from "./queue-thread.ts";

/** Everything in this thread: for tests, which can then stop it between any two statements. */
export function createInlineExecutor(options: EngineOptions): Executor {
  const engine = new QueueEngine(options);
  return {
    execute: async (batch) => engine.run(batch),
    close: async () => engine.close(),
  };
}

/** The database in a thread of its own, so that a slow disk never stalls the event loop. */
export async function startThreadExecutor(options: ThreadOptions, log: Pick<Logger, "error">): Promise<Executor> {
  const worker = new Worker(new URL("./queue-thread.ts", import.meta.url), { workerData: options });
  const thread = new Thread(worker, log);
  await thread.opened;
  return thread;
}

class Thread implements Executor {
  readonly opened: Promise<void>;
  readonly #worker: Worker;
  #inFlight: PromiseWithResolvers<readonly Result[]> | undefined;
  #gone: Error | undefined;

  constructor(worker: Worker, log: Pick<Logger, "error">) {
    this.#worker = worker;
    const opening = Promise.withResolvers<void>();
    this.opened = opening.promise;
    worker.on("message", (message: FromThread) => {
      switch (message.kind) {
        case "opened":
          opening.resolve();
          break;
        case "failed":
          opening.reject(message.code ? new CopepodError(message.code, message.message) : new Error(message.message));
          break;
        case "results":
          this.#inFlight?.resolve(message.results);
          break;
      }
    });
    worker.on("error", (err: Error) => {
      log.error({ err }, "the queue's thread failed");
      this.#end(err);
      opening.reject(err);
      // A router without its queue is of no use: it crashes, and is started again with a new one.
      setImmediate(() => {
        throw err;
      });
    });
    worker.on("exit", () => this.#end(undefined));
  }

  async execute(batch: Parameters<Executor["execute"]>[0]): Promise<readonly Result[]> {
    if (this.#gone) throw this.#gone;
    this.#inFlight = Promise.withResolvers();
    this.#send({ kind: "batch", commands: batch });
    return await this.#inFlight.promise;
  }

  async close(): Promise<void> {
    if (this.#gone) return;
    const exited = once(this.#worker, "exit");
    this.#send({ kind: "close" });
    await exited;
  }

  #send(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #end(cause: Error | undefined): void {
    this.#gone ??= new CopepodError("unavailable", "The queue's thread has ended; the router must be started again.", {
      cause,
    });
    this.#inFlight?.reject(this.#gone);
  }
}
