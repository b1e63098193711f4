/** A column of a table: its heading, and a cell's text. */
export interface TableColumn<Row> {
  readonly heading: string;
  /** undefined is shown as `<none>`. */
  cell(row: Row): string | number | undefined;
  /** true = only in the wide form. */
  readonly wide?: boolean;
}

const gap = "   ";

/** A table as kubectl prints it: headings in capitals, columns as wide as they need to be. */
export function renderTable<Row>(columns: readonly TableColumn<Row>[], rows: readonly Row[], wide: boolean): string {
  const shown = columns.filter((column) => wide || column.wide !== true);
  const cells = [
    shown.map(({ heading }) => heading.toUpperCase()),
    ...rows.map((row) => shown.map((column) => cellText(column.cell(row)))),
  ];
  const widths = shown.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)));
  return cells.map((row) => renderRow(row, widths)).join("\n");
}

const renderRow = (row: readonly string[], widths: readonly number[]): string =>
  row
    .map((text, at) => text.padEnd(widths[at] ?? 0))
    .join(gap)
    .trimEnd();

/** One line; what would steer the terminal is left out. */
function cellText(value: string | number | undefined): string {
  if (value === undefined || value === "") return "<none>";
  return String(value)
    .replaceAll(/\s+/g, " ")
    .replaceAll(/\p{Cc}/gu, "");
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** How long ago a time was, in its greatest unit. */
export function renderAge(time: number | undefined, now: number): string | undefined {
  if (time === undefined) return undefined;
  const age = Math.max(0, now - time);
  if (age < 2 * minuteMs) return `${Math.floor(age / 1_000)}s`;
  if (age < 2 * hourMs) return `${Math.floor(age / minuteMs)}m`;
  if (age < 2 * dayMs) return `${Math.floor(age / hourMs)}h`;
  return `${Math.floor(age / dayMs)}d`;
}

/** The beginning of a long text. */
export const shorten = (text: string, length: number): string =>
  text.length > length ? `${text.slice(0, length - 1)}…` : text;
