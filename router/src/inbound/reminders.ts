/** How long a refusal is not told again in the same conversation. */
const quietMs = 60 * 60_000;
const maxRemembered = 20_000;

/** "Told in one sentence, once": remembers what was told, for an hour. */
export class Reminders {
  readonly #monotonic: () => number;
  readonly #toldAt = new Map<string, number>();

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** @returns whether it is time to tell, and notes that it is told now. */
  due(subject: string): boolean {
    const now = this.#monotonic();
    const toldAt = this.#toldAt.get(subject);
    if (toldAt !== undefined && now - toldAt < quietMs) return false;
    this.#toldAt.delete(subject);
    this.#toldAt.set(subject, now);
    const [oldest] = this.#toldAt.keys();
    if (this.#toldAt.size > maxRemembered && oldest !== undefined) this.#toldAt.delete(oldest);
    return true;
  }

  /** What was noted could not be told after all. */
  takeBack(subject: string): void {
    this.#toldAt.delete(subject);
  }
}
