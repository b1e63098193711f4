import { providerSilenceMs } from "@copepod/core/limits";
import type { Logger } from "pino";
import type { ProviderEvent, Turn } from "../providers/provider.ts";
import type { Time } from "./time.ts";

/** An interrupted provider has this long to end its stream; then it counts as hung. */
export const interruptGraceMs = 5_000;

export type AttemptEnd =
  | Extract<ProviderEvent, { kind: "result" | "failed" }>
  /** Ended by the signal. `hung` = the provider did not react. */
  | { readonly kind: "interrupted"; readonly hung: boolean }
  /** No sign of life for as long as it may be silent. */
  | { readonly kind: "silent"; readonly hung: boolean; readonly silenceMs: number };

export interface AttemptDeps {
  readonly interrupt: AbortSignal;
  readonly onEvent: (event: ProviderEvent) => void;
  readonly time: Time;
  readonly log: Logger;
}

/** Reads a provider's stream to its end; interrupts it when asked to, or when it is silent for too long. */
export async function follow(turn: Turn, deps: AttemptDeps): Promise<AttemptEnd> {
  const over = new AbortController();
  const watch = new SilenceWatch(deps.time);
  const interrupt = AbortSignal.any([deps.interrupt, watch.silent]);
  const reading = read(turn, (event) => {
    if (over.signal.aborted) return;
    watch.heard(event);
    deps.onEvent(event);
  });
  void watch.run(over.signal);
  try {
    const end = await Promise.race([reading, abandon(turn, interrupt, { ...deps, over: over.signal })]);
    const hung = end === undefined;
    if (watch.silent.aborted) return { kind: "silent", hung, silenceMs: watch.allowedMs };
    return hung || deps.interrupt.aborted ? { kind: "interrupted", hung } : end;
  } finally {
    over.abort();
  }
}

async function read(
  turn: Turn,
  onEvent: (event: ProviderEvent) => void,
): Promise<Exclude<AttemptEnd, { hung: boolean }>> {
  try {
    for await (const event of turn.events) {
      if (event.kind === "result" || event.kind === "failed") return event;
      onEvent(event);
    }
  } catch (error) {
    return { kind: "failed", class: "unknown", message: error instanceof Error ? error.message : String(error) };
  }
  return { kind: "failed", class: "unknown", message: "the provider ended its turn without a result" };
}

/** Resolves when the provider was interrupted and has not ended its stream in time. */
async function abandon(
  turn: Turn,
  interrupt: AbortSignal,
  { time, log, over }: Pick<AttemptDeps, "time" | "log"> & { readonly over: AbortSignal },
): Promise<undefined> {
  await aborted(interrupt, over);
  turn.interrupt().catch((error: unknown) => log.warn({ err: error }, "provider could not be interrupted"));
  await time.sleep(interruptGraceMs, over);
  if (!over.aborted) log.warn("provider does not react to the interrupt");
  return undefined;
}

/** Aborts its signal when no event was heard for as long as the last one allows. */
class SilenceWatch {
  readonly #silent = new AbortController();
  readonly #time: Time;
  #heardAt: number;
  allowedMs = providerSilenceMs;

  constructor(time: Time) {
    this.#time = time;
    this.#heardAt = time.now();
  }

  get silent(): AbortSignal {
    return this.#silent.signal;
  }

  heard(event: ProviderEvent): void {
    this.#heardAt = this.#time.now();
    const declaredMs = event.kind === "tool" ? (event.timeoutMs ?? 0) : 0;
    this.allowedMs = Math.max(providerSilenceMs, declaredMs);
  }

  async run(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const leftMs = this.#heardAt + this.allowedMs - this.#time.now();
      if (leftMs <= 0) return this.#silent.abort();
      await this.#time.sleep(leftMs, over);
    }
  }
}

/** @param over removes the listener: a signal made of others, with one, lives as long as they do. */
function aborted(signal: AbortSignal, over: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true, signal: over }));
}
