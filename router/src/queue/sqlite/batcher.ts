import { CopepodError } from "@copepod/core/errors";
import type { Clock } from "../queue-store.ts";
import type { Command, Result } from "./engine.ts";
import type { CommandArguments, CommandName, CommandResult } from "./operations.ts";

/** Commands that wait in memory; above this the disk is too slow for what comes in. */
const maxQueuedCommands = 10_000;

/** Runs batches, one at a time. */
export interface Executor {
  execute(batch: readonly Command[]): Promise<readonly Result[]>;
  close(): Promise<void>;
}

interface Waiting {
  readonly command: Command;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** Group commit: what is called while a batch is being written becomes the next batch. */
export class Batcher implements AsyncDisposable {
  readonly #executor: Executor;
  readonly #clock: Clock;
  #queue: Waiting[] = [];
  #pumping: Promise<void> | undefined;
  #closed = false;

  constructor(executor: Executor, clock: Clock) {
    this.#executor = executor;
    this.#clock = clock;
  }

  run<K extends CommandName>(name: K, args: CommandArguments<K>): Promise<CommandResult<K>> {
    if (this.#closed) return Promise.reject(new CopepodError("unavailable", "The queue is closed."));
    if (this.#queue.length >= maxQueuedCommands) {
      const message = `${maxQueuedCommands} changes wait for the disk of the queue already. Try again in a moment.`;
      return Promise.reject(new CopepodError("unavailable", message));
    }
    const command = { name, args, now: this.#clock.now(), monotonic: this.#clock.monotonic() };
    return new Promise((resolve, reject) => {
      this.#queue.push({ command, resolve, reject });
      this.#pumping ??= this.#pump();
    });
  }

  /** Writes what is queued, then ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#pumping;
    await this.#executor.close();
  }

  async #pump(): Promise<void> {
    await endOfTick();
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      await this.#write(batch);
    }
    this.#pumping = undefined;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    try {
      const results = await this.#executor.execute(batch.map(({ command }) => command));
      batch.forEach((waiting, index) => {
        settle(waiting, results[index]);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

function settle({ resolve, reject }: Waiting, result: Result | undefined): void {
  // The value has the type of the command's result: `run` and `operations` pair them.
  if (result?.ok) resolve(result.value as never);
  else if (result?.code) reject(new CopepodError(result.code, result.message));
  else reject(new Error(result?.message ?? "the queue gave no result"));
}

const endOfTick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
