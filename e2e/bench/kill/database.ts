import Database from "better-sqlite3";

/** What the queue says once the router has ended. */
export interface QueueFindings {
  /** `ok`, or what SQLite found. */
  readonly integrity: string;
  /** Rows that wait for something. */
  readonly open: number;
  /** Dead letters and deliveries with unknown outcome, of both directions. */
  readonly dead: number;
  /** Rows to look at, one line each: what is open or dead, and what holds one of the marks. */
  readonly rows: readonly string[];
}

const maxRows = 60;

/** Reads the database of a router that has ended. @param marks texts of messages whose rows are of interest. */
export function inspectQueue(path: string, marks: readonly string[]): QueueFindings {
  const database = new Database(path, { readonly: true, fileMustExist: true });
  try {
    const count = (condition: string): number =>
      tables.reduce((total, table) => {
        const row = database.prepare<[], { n: number }>(`SELECT count(*) AS n FROM ${table} WHERE ${condition}`).get();
        return total + (row?.n ?? 0);
      }, 0);
    return {
      integrity: String(database.pragma("integrity_check", { simple: true })),
      open: count(isOpen),
      dead: count(isDead),
      rows: findRows(database, marks),
    };
  } finally {
    database.close();
  }
}

const tables = ["messages_in", "messages_out"] as const;
const isOpen = "state IN ('pending', 'leased')";
const isDead = "state IN ('dead', 'unknown')";

function findRows(database: Database.Database, marks: readonly string[]): string[] {
  const about = marks.map(() => "OR instr(body, ?) > 0").join(" ");
  return tables.flatMap((table) =>
    database
      .prepare<string[], object>(`SELECT * FROM ${table} WHERE ${isOpen} OR ${isDead} ${about} LIMIT ${maxRows}`)
      .all(...marks)
      .map((row) => `${table} ${JSON.stringify(row)}`),
  );
}
