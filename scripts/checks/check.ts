/** One thing that `npm run check` looks at. */
export interface Check {
  readonly name: string;
  /** @returns each problem as one line with its place; none = good */
  run(root: string): Promise<readonly string[]>;
}
