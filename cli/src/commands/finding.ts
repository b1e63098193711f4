/** What was looked at, and what became of it. `info` = worth knowing, nothing to mend. */
export interface Finding {
  readonly check: string;
  readonly state: "ok" | "info" | "bad";
  readonly detail: string;
  readonly cure?: string;
}
