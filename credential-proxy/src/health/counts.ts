/** `none`: there was no answer. */
const classes = ["2xx", "3xx", "4xx", "5xx", "none"] as const;

/** Answers by the class of their status. */
export class AnswerCounts {
  readonly #counts = new Map<string, number>(classes.map((name) => [name, 0]));

  /** @param status 0 = there was no answer */
  add(status: number): void {
    const name = classes[Math.floor(status / 100) - 2] ?? "none";
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** Lines of the Prometheus text format. */
  format(metric: string, help: string): string {
    const lines = [...this.#counts].map(([name, count]) => `${metric}{status="${name}"} ${count}\n`);
    return `# HELP ${metric} ${help}\n# TYPE ${metric} counter\n${lines.join("")}`;
  }
}

/** When the router last did what this session asked for. */
export class RouterContact {
  readonly answers = new AnswerCounts();
  #acceptedAt = Number.NEGATIVE_INFINITY;
  readonly #now: () => number;

  /** @param now milliseconds of a clock that only goes forward */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param status 0 = there was no answer */
  hear(status: number): void {
    this.answers.add(status);
    if (status >= 200 && status < 300) this.#acceptedAt = this.#now();
  }

  /** Milliseconds; infinite before the first time. */
  get age(): number {
    return this.#now() - this.#acceptedAt;
  }
}
