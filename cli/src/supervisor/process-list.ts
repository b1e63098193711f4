import { setTimeout as delay } from "node:timers/promises";
import type { Host, Pod } from "@copepod/core/supervisor-api";

export interface Processes {
  readonly version: number;
  readonly pods: readonly Pod[];
  readonly hosts: readonly Host[];
}

/** The published list of what runs; each change has a version, and wakes who waits for one. */
export class ProcessList {
  #version = 1;
  #pods = new Map<string, Pod>();
  #hosts = new Map<string, Host>();
  #changed = new AbortController();

  /** @param pod undefined = it is gone. */
  setPod(session: string, pod: Pod | undefined): void {
    if (pod) this.#pods.set(session, pod);
    else this.#pods.delete(session);
    this.#notify();
  }

  setHost(channel: string, host: Host | undefined): void {
    if (host) this.#hosts.set(channel, host);
    else this.#hosts.delete(channel);
    this.#notify();
  }

  current(): Processes {
    return { version: this.#version, pods: [...this.#pods.values()], hosts: [...this.#hosts.values()] };
  }

  /** Resolves at once when `version` is not the present one, else with the next change or after the time. */
  async watch(version: number, waitMs: number, signal: AbortSignal): Promise<Processes> {
    if (version === this.#version && waitMs > 0) {
      await delay(waitMs, undefined, { signal: AbortSignal.any([signal, this.#changed.signal]) }).catch(() => {});
    }
    return this.current();
  }

  #notify(): void {
    this.#version++;
    this.#changed.abort();
    this.#changed = new AbortController();
  }
}
