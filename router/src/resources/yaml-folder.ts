import { type FSWatcher, watch } from "node:fs";
import { mkdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import type { Problem } from "@copepod/core/admin-api";
import { CopepodError } from "@copepod/core/errors";
import type { Logger } from "pino";
import { FolderState } from "./folder-state.ts";
import { entryKey } from "./resource-file.ts";
import type { Applied, ResourceStore, Resources } from "./resource-store.ts";
import { readFailure, type Scan, scanFolder } from "./scan-folder.ts";
import { checkWanted, writeResource } from "./write-resource.ts";

interface Options {
  readonly folder: string;
  readonly log: Pick<Logger, "info" | "warn">;
  readonly timing?: Partial<Timing>;
}

interface Timing {
  /** A change counts when the folder looks the same twice, this far apart: editors write and rename in steps. */
  readonly settleMs: number;
  /**
   * The folder is looked at this often even when the file system reports nothing: folders below it are not watched, and
   * it may forget to.
   */
  readonly rescanMs: number;
}

const defaultTiming: Timing = { settleMs: 150, rescanMs: 2_000 };

/** A folder that never comes to rest is taken as it is after so many looks. */
const maxSettleLooks = 20;

/** Resources in the YAML files below a folder, which is made when it is missing. Resolves after the first look. */
export async function openYamlFolder(options: Options): Promise<ResourceStore> {
  await makeFolder(options.folder);
  const store = new YamlFolder(options);
  await store.start();
  return store;
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CopepodError("invalid", `The resources folder ${folder} can't be used: ${why}`, { cause });
  }
}

class YamlFolder implements ResourceStore {
  readonly #folder: string;
  readonly #log: Options["log"];
  readonly #timing: Timing;
  readonly #state = new FolderState();
  readonly #listeners = new Set<() => void>();
  readonly #ending = new AbortController();
  /** Looks and writes happen one after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  #lookWanted = false;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ folder, log, timing }: Options) {
    this.#folder = folder;
    this.#log = log;
    this.#timing = { ...defaultTiming, ...timing };
  }

  async start(): Promise<void> {
    this.#watch();
    await this.#inTurn(() => this.#lookOnce());
    this.#timer = setInterval(() => this.#hint(), this.#timing.rescanMs);
  }

  current(): Resources {
    return this.#state.resources;
  }

  problems(): readonly Problem[] {
    return this.#state.problems;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async apply(input: unknown): Promise<Applied> {
    const wanted = checkWanted(input);
    return await this.#inTurn(async () => {
      await this.#look();
      const { resource } = wanted;
      const key = entryKey(resource);
      const applied = { kind: resource.kind, name: resource.metadata.name };
      const place = this.#state.find(key);
      if (isDeepStrictEqual(place?.entry?.resource, resource)) return { result: "unchanged", ...applied };
      await writeResource(wanted, place, this.#folder);
      await this.#lookOnce();
      if (!isDeepStrictEqual(this.#state.find(key)?.entry?.resource, resource)) {
        throw new CopepodError("conflict", `${key} was written, but another change came in between; look at the file`);
      }
      return { result: place ? "configured" : "created", ...applied };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    this.#watcher?.close();
    clearInterval(this.#timer);
    this.#listeners.clear();
    await this.#tail;
  }

  #watch(): void {
    try {
      // Not recursive: Node's own recursive watch ends the process when a folder becomes a file.
      this.#watcher = watch(this.#folder, () => this.#hint());
      this.#watcher.on("error", (error) => this.#watchFailed(error));
    } catch (error) {
      this.#watchFailed(error);
    }
  }

  #watchFailed(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    this.#log.warn({ folder: this.#folder, why }, "folder can't be watched; it is looked at from time to time");
  }

  /** Many hints make one look. */
  #hint(): void {
    if (this.#lookWanted || this.#ending.signal.aborted) return;
    this.#lookWanted = true;
    void this.#inTurn(async () => {
      this.#lookWanted = false;
      await this.#look();
    });
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(step);
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Takes in what changed, once the folder has come to rest. */
  async #look(): Promise<void> {
    await this.#reportLoss(async () => {
      const first = await this.#scan();
      await this.#takeIn(this.#state.isNews(first) ? await this.#settled(first) : first);
    });
  }

  /** Takes the folder as it is now. */
  async #lookOnce(): Promise<void> {
    await this.#reportLoss(async () => this.#takeIn(await this.#scan()));
  }

  async #reportLoss(look: () => Promise<void>): Promise<void> {
    try {
      await look();
    } catch (error) {
      if (this.#ending.signal.aborted) return;
      if (this.#state.lose({ file: this.#folder, reason: readFailure(error) })) this.#announce();
    }
  }

  #scan(): Promise<Scan> {
    return scanFolder(this.#folder, this.#state.paths());
  }

  async #settled(first: Scan): Promise<Scan> {
    let last = first;
    for (let look = 0; look < maxSettleLooks; look++) {
      await delay(this.#timing.settleMs, undefined, { signal: this.#ending.signal });
      const next = await this.#scan();
      if (isDeepStrictEqual(next, last)) return next;
      last = next;
    }
    return last;
  }

  async #takeIn(scan: Scan): Promise<void> {
    if (await this.#state.takeIn(scan)) this.#announce();
  }

  #announce(): void {
    for (const { file, line, path } of this.#state.problems)
      this.#log.warn({ file, line, path }, "resource file is bad");
    this.#log.info({ problems: this.#state.problems.length }, "resources changed");
    for (const listener of this.#listeners) listener();
  }
}
