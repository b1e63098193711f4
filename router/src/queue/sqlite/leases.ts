/**
 * Lease times, kept in memory only: they are monotonic, so they can't outlive the process, and a restart gives everybody
 * the full time again. An entry may be one too many (a rolled back hello), never one too few: whoever acts on an expired
 * entry checks the row first.
 */
export class Leases {
  readonly #leaseMs: number;
  readonly #deadlines = new Map<string, { owner: string; instance: string; deadline: number }>();

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  restart(owner: string, instance: string, monotonic: number): void {
    this.#deadlines.set(`${owner}\0${instance}`, { owner, instance, deadline: monotonic + this.#leaseMs });
  }

  expired(monotonic: number): { owner: string; instance: string }[] {
    return [...this.#deadlines.values()].filter(({ deadline }) => deadline <= monotonic);
  }

  forget(owner: string, instance: string): void {
    this.#deadlines.delete(`${owner}\0${instance}`);
  }
}
