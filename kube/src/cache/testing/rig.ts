import assert from "node:assert/strict";
import type { KubeObject } from "../../object.ts";
import { TestClock } from "../../testing/clock.ts";
import type { CacheChange } from "../cache.ts";
import { Reflector, type ReflectorSettings } from "../reflector.ts";
import { TestServer, widgets } from "./server.ts";

/** Turns of the event loop after which nothing that a test waits for can still come. */
const mostTurns = 100_000;

/** A reflector that runs against a server in process, in time that passes only when a test waits. */
export class Rig implements AsyncDisposable {
  readonly server = new TestServer();
  readonly clock = new TestClock();
  readonly logged: string[] = [];
  readonly reports: (readonly [string, object])[] = [];
  /** What the changes that listeners were told of add up to. */
  readonly told = new Map<string, KubeObject>();
  readonly changes: (readonly [string, CacheChange<KubeObject>])[] = [];
  readonly reflector: Reflector<KubeObject>;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  random = 0.5;

  constructor(settings: Partial<ReflectorSettings<KubeObject>> = {}) {
    const log = (level: string) => (_fields: object, message: string) => void this.logged.push(`${level}: ${message}`);
    const report = (what: string) => (fields: object) => void this.reports.push([what, fields]);
    this.reflector = new Reflector(
      { resource: widgets, transform: (object) => object, ...settings },
      {
        client: this.server,
        clock: this.clock,
        random: () => this.random,
        log: { debug: log("debug"), info: log("info"), warn: log("warn") },
        observer: {
          listed: report("listed"),
          watched: report("watched"),
          failed: report("failed"),
          threw: report("threw"),
        },
      },
    );
    this.reflector.cache.subscribe((key, change) => {
      assert.deepEqual(change.before, this.told.get(key));
      if (change.after) this.told.set(key, change.after);
      else this.told.delete(key);
      this.changes.push([key, change]);
    });
  }

  get cache() {
    return this.reflector.cache;
  }

  run(): void {
    this.#running = this.reflector.run(this.#stop.signal);
  }

  /** Runs, and waits until it watches. */
  async follow(): Promise<void> {
    this.run();
    await this.watching(1);
  }

  /** Waits until the watch of this number is open. */
  async watching(number: number, stepMs = 0): Promise<void> {
    const isSo = () => this.server.openWatches === 1 && this.server.watches === number;
    await this.until(`watch ${number}`, isSo, stepMs);
  }

  /** For what can't be waited for: a few turns of the event loop. */
  async turns(): Promise<void> {
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  }

  stopSoon(): void {
    this.#stop.abort(new Error("stopped"));
  }

  async stop(): Promise<void> {
    this.stopSoon();
    await this.#running;
  }

  /** @param stepMs that pass with each turn of the event loop */
  async until(what: string, isSo: () => boolean, stepMs = 0): Promise<void> {
    for (let turn = 0; turn < mostTurns; turn++) {
      if (isSo()) return;
      await new Promise(setImmediate);
      if (stepMs > 0) this.clock.pass(stepMs);
    }
    throw new Error(`waited in vain for ${what}`);
  }

  /** Waits until the cache has what the server has, and says so of both ways to look at it. */
  async untilEqual(stepMs = 0): Promise<void> {
    const expected = this.server.objects();
    await this.until("the newest version", () => this.#versions() === versions(expected.values()), stepMs);
    this.assertEqual();
  }

  assertEqual(): void {
    const expected = this.server.objects();
    assert.deepEqual(new Map([...expected.keys()].map((key) => [key, this.cache.get(key)])), new Map(expected));
    assert.equal(this.cache.size, expected.size);
    assert.deepEqual(this.told, expected);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #versions(): string {
    return versions(this.cache.values());
  }
}

const versions = (objects: Iterable<KubeObject>): string =>
  [...objects]
    .map(({ metadata }) => metadata.resourceVersion)
    .sort()
    .join(" ");
