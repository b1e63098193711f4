import type { Blobs } from "@copepod/core/blobs";
import { podGraceMs } from "@copepod/core/cluster";
import { CopepodError, codeOf } from "@copepod/core/errors";
import { longPollMs, maxRowsPerTake } from "@copepod/core/limits";
import type { MailboxClient, SessionContext } from "@copepod/core/mailbox-api";
import type { ControlMessage } from "@copepod/core/messages";
import type { Tools } from "../providers/provider.ts";
import { returnRows } from "./commit.ts";
import { CurrentProvider, type CurrentProviderDeps } from "./current-provider.ts";
import { fetchFiles } from "./files-in.ts";
import { createHeartbeat, type Heartbeat } from "./heartbeat.ts";
import { Lane } from "./lane.ts";
import type { Life } from "./life.ts";
import { createRetry, type Retry } from "./retry.ts";
import type { Time } from "./time.ts";
import { RunningTurn, type Setting } from "./turn.ts";

/** What is left for the end of a turn before the runner is killed. */
const endMs = 10_000;
/** How long a running turn may go on when the runner is asked to end. */
export const drainGraceMs = podGraceMs - endMs;
/** Without a change the turns look around this often. */
const idleMs = 60_000;

export interface RunnerDeps extends Omit<CurrentProviderDeps, "retry"> {
  readonly mailbox: MailboxClient;
  readonly blobs: Blobs;
  /** Folder of the workspaces that the agent group shares with others; undefined = it shares none. */
  readonly teamDir: string | undefined;
  /** Random id of this runner. */
  readonly instance: string;
  /** In [0, 1). */
  readonly random: () => number;
}

/**
 * Takes rows, drives the provider, posts rows back, until the life ends. Resolves when the runner was asked to end or
 * the session is no longer its own; rejects with what nobody expected.
 */
export async function runRunner(deps: RunnerDeps): Promise<void> {
  const { life, time } = deps;
  const over = new AbortController();
  const runner = new Runner(deps);
  const grace = endAfterGrace(life, time, over.signal);
  try {
    await runner.run();
  } finally {
    over.abort();
    life.end("drain");
    await grace;
    await runner.close();
  }
}

class Runner {
  readonly #deps: RunnerDeps;
  readonly #retry: Retry;
  readonly #heartbeat: Heartbeat;
  readonly #lane = new Lane();
  #context: SessionContext | undefined;
  #contextVersion = "";
  readonly #provider: CurrentProvider;
  #current: RunningTurn | undefined;

  constructor(deps: RunnerDeps) {
    this.#deps = deps;
    this.#retry = createRetry(deps);
    this.#heartbeat = createHeartbeat(deps);
    this.#provider = new CurrentProvider({ ...deps, retry: this.#retry }, this.#tools());
  }

  async run(): Promise<void> {
    const { mailbox, instance, life, log } = this.#deps;
    const beating = new AbortController();
    const work = async (): Promise<void> => {
      const [hello] = await Promise.all([
        this.#retry("hello", life.draining, (options) => mailbox.hello({ instance }, options)),
        this.#refreshContext().then((context) => this.#provider.expect(context)),
      ]);
      log.info({ session: hello.session, epoch: hello.epoch }, "runner holds the session");
      const heartbeats = this.#heartbeat.run(beating.signal);
      try {
        await all([this.#guard(() => this.#intake()), this.#guard(() => this.#turns())]);
      } finally {
        beating.abort();
        await heartbeats;
      }
    };
    await this.#guard(work);
  }

  async close(): Promise<void> {
    await this.#provider[Symbol.asyncDispose]();
  }

  /** One long poll after the other, also while a turn runs: follow-ups and control rows come this way. */
  async #intake(): Promise<void> {
    const { mailbox, instance, life } = this.#deps;
    const context = this.#context ?? (await this.#refreshContext());
    let limit = context.maxMessagesPerPrompt;
    while (!life.draining.aborted) {
      const age = this.#lane.age;
      const taken = await this.#retry("take", life.draining, (options) =>
        mailbox.take(
          { instance, held: this.#lane.held(), limit: Math.min(limit, maxRowsPerTake), waitMs: longPollMs },
          options,
        ),
      );
      if (taken.drain) life.drain("drain");
      this.#contextVersion = taken.contextVersion;
      limit = this.#context?.maxMessagesPerPrompt ?? limit;
      const messages = await fetchFiles(taken.messages, this.#turnDeps());
      if (this.#lane.wouldOvertake(messages, age)) await returnRows(messages, this.#turnDeps());
      else this.#lane.add(messages, taken.alreadySent);
      this.#current?.pushFollowUps();
      await this.#obey(taken.control);
    }
  }

  async #turns(): Promise<void> {
    const { life } = this.#deps;
    while (!life.draining.aborted) {
      const batch = this.#lane.startTurn(this.#context?.maxMessagesPerPrompt ?? 1);
      if (batch) await this.#runTurn(new RunningTurn(batch, this.#turnDeps()));
      else await this.#waitForRows();
    }
  }

  async #runTurn(turn: RunningTurn): Promise<void> {
    this.#current = turn;
    try {
      await turn.done;
    } finally {
      this.#current = undefined;
    }
  }

  async #waitForRows(): Promise<void> {
    const { life, time } = this.#deps;
    const changed = new AbortController();
    void this.#lane.changed().then(() => changed.abort());
    await time.sleep(idleMs, AbortSignal.any([life.draining, changed.signal]));
  }

  /** A control row ends when it had its effect, so that it outlives a crash in between. */
  async #obey(control: readonly ControlMessage[]): Promise<void> {
    const { mailbox, instance, life } = this.#deps;
    if (control.length === 0) return;
    for (const { body } of control) await this.#stop(body.turn);
    const ids = control.map(({ id }) => id);
    await this.#retry("acknowledge", life.ended, (options) => mailbox.acknowledge({ instance, control: ids }, options));
  }

  async #stop(turn: number): Promise<void> {
    while (this.#current) {
      const running = this.#current;
      const named = running.number === turn;
      if (named) running.stop();
      else if (!this.#lane.isWaiting(turn)) return;
      await running.done;
      if (named) return;
      // Its rows begin the next turn, in the tick in which the present one lets go.
      await this.#deps.time.sleep(0, this.#deps.life.ended);
    }
  }

  #turnDeps() {
    return {
      ...this.#deps,
      retry: this.#retry,
      lane: this.#lane,
      activity: this.#heartbeat.activity,
      prepare: () => this.#prepare(),
      discardProvider: () => this.#provider.discard(),
    };
  }

  async #prepare(): Promise<Setting> {
    const known = this.#context;
    const context = known?.version === this.#contextVersion ? known : await this.#refreshContext();
    return { provider: await this.#provider.of(context), context };
  }

  async #refreshContext(): Promise<SessionContext> {
    const { mailbox, life } = this.#deps;
    const context = await this.#retry("context", life.ended, (options) => mailbox.context({}, options));
    this.#context = context;
    return context;
  }

  #tools(): Tools {
    const running = () => {
      if (this.#current) return this.#current;
      throw new CopepodError("conflict", "no turn is running, so nothing can be sent");
    };
    return {
      sendMessage: async (to, text) => await running().post({ to, text }),
      sendFile: async (to, path, text) => await running().postFile(to, path, text),
    };
  }

  /** Ends the whole runner when one of its parts can't go on; only what nobody expected is an error. */
  async #guard(work: () => Promise<void>): Promise<void> {
    const { life } = this.#deps;
    try {
      await work();
    } catch (error) {
      const code = codeOf(error);
      if (code === "superseded" || code === "unauthorized") return life.end(code);
      if (life.draining.aborted && (error === life.draining.reason || error === life.ended.reason)) return;
      life.end("fault");
      throw error;
    }
  }
}

/** The first error, after all have ended. */
async function all(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}

async function endAfterGrace(life: Life, time: Time, over: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (life.draining.aborted) resolve();
    life.draining.addEventListener("abort", () => resolve(), { once: true });
  });
  await time.sleep(drainGraceMs, AbortSignal.any([over, life.ended]));
  life.end("drain");
}
