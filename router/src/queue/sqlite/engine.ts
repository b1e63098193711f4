import { dirname } from "node:path";
import { CopepodError, type ErrorCode } from "@copepod/core/errors";
import { leaseMs } from "@copepod/core/limits";
import { ClockJumps } from "./clock-jumps.ts";
import { type OpenDatabase, openDatabase } from "./database.ts";
import { createIds } from "./ids.ts";
import { Leases } from "./leases.ts";
import { type CommandName, neverThrows, operations, readOnly } from "./operations.ts";
import { restartHolderLeases } from "./rules/holders.ts";
import { restartHostLeases } from "./rules/outbound.ts";
import { outageOf } from "./sqlite-errors.ts";
import { type FaultHook, sql, Transaction } from "./transaction.ts";

/** One call of a store method, with the time at which it was made. */
export interface Command {
  readonly name: CommandName;
  readonly args: readonly unknown[];
  readonly now: number;
  readonly monotonic: number;
}

/** Plain data, since it crosses a thread. A failure without a code is a fault of ours. */
export type Result =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: ErrorCode | undefined; readonly message: string };

export interface EngineOptions {
  readonly path: string;
  readonly now: number;
  readonly monotonic: number;
  readonly random?: () => number;
  readonly fault?: FaultHook;
}

const begin = sql<[]>("BEGIN IMMEDIATE");
const commit = sql<[]>("COMMIT");
const rollback = sql<[]>("ROLLBACK");
const savepoint = sql<[]>("SAVEPOINT command");
const release = sql<[]>("RELEASE command");
const undo = sql<[]>("ROLLBACK TO command");

const greatestId = sql<[], { id: string | null }>(`
  SELECT max(id) AS id FROM (
    SELECT max(id) AS id FROM messages_in UNION ALL SELECT max(id) FROM messages_out
    UNION ALL SELECT max(id) FROM audit UNION ALL SELECT max(id) FROM conversations)`);

/** The queue's rules on an open database: runs batches of commands, each batch in one commit. Synchronous. */
export class QueueEngine {
  readonly #folder: string;
  readonly #database: OpenDatabase;
  readonly #writer: Transaction;
  readonly #reader: Transaction;
  readonly #clockJumps: ClockJumps;

  /** @throws CopepodError as `openDatabase` */
  constructor({ path, now, monotonic, random = Math.random, fault }: EngineOptions) {
    this.#folder = dirname(path);
    this.#clockJumps = new ClockJumps({ now, monotonic });
    this.#database = openDatabase(path, now);
    const noIds = () => "";
    const shared = { random, holders: new Leases(leaseMs), hosts: new Leases(leaseMs), fault };
    this.#reader = new Transaction(this.#database.reader, { ...shared, ids: noIds });
    const ids = createIds(this.#reader.get(greatestId)?.id ?? undefined);
    this.#writer = new Transaction(this.#database.writer, { ...shared, ids });
    this.#writer.at(now, monotonic);
    restartHolderLeases(this.#writer);
    restartHostLeases(this.#writer);
  }

  /** Results in the order of the commands. Writes share one commit; reads see it. */
  run(commands: readonly Command[]): readonly Result[] {
    const writes = commands.filter(({ name }) => !readOnly.has(name));
    const written = writes.length > 0 ? this.#write(writes) : [];
    let next = 0;
    return commands.map((command) =>
      readOnly.has(command.name) ? this.#read(command) : (written[next++] ?? failure(new Error("no result"))),
    );
  }

  close(): void {
    this.#database.close();
  }

  #write(commands: readonly Command[]): readonly Result[] {
    try {
      return this.#commit(commands);
    } catch (error) {
      if (this.#writer.open) this.#writer.run(rollback);
      const outage = outageOf(error, this.#folder);
      if (outage) {
        this.#giveLogBack();
        return commands.map(() => failure(outage));
      }
      if (commands.length === 1) return [failure(error)];
      // One of them hit a fault. Each for itself now, so that it hurts no other.
      return commands.flatMap((command) => this.#write([command]));
    }
  }

  /** On a full disk the write-ahead log may be what fills it: what is in it goes into the database, as far as it fits. */
  #giveLogBack(): void {
    try {
      this.#database.writer.pragma("wal_checkpoint(TRUNCATE)");
    } catch {
      // The next write will say again what is wrong.
    }
  }

  #commit(commands: readonly Command[]): readonly Result[] {
    const tx = this.#writer;
    tx.run(begin);
    this.#clockJumps.follow(tx, commands[0]);
    const results = commands.map((command) => this.#execute(command));
    tx.run(commit);
    this.#clockJumps.keep();
    return results;
  }

  #execute(command: Command): Result {
    const tx = this.#writer;
    tx.at(command.now, command.monotonic);
    if (neverThrows.has(command.name)) return { ok: true, value: call(tx, command) };
    tx.run(savepoint);
    try {
      const value = call(tx, command);
      tx.run(release);
      return { ok: true, value };
    } catch (error) {
      if (!(error instanceof CopepodError)) throw error;
      tx.run(undo);
      tx.run(release);
      return failure(error);
    }
  }

  #read(command: Command): Result {
    this.#reader.at(command.now, command.monotonic);
    try {
      return { ok: true, value: call(this.#reader, command) };
    } catch (error) {
      return failure(outageOf(error, this.#folder) ?? error);
    }
  }
}

/** The types are proved where a command is made: by the facade. */
function call(tx: Transaction, { name, args }: Command): unknown {
  const operation = operations[name] as (tx: Transaction, ...args: readonly unknown[]) => unknown;
  return operation(tx, ...args);
}

function failure(error: unknown): Result {
  if (error instanceof CopepodError) return { ok: false, code: error.code, message: error.message };
  return {
    ok: false,
    code: undefined,
    message: error instanceof Error ? (error.stack ?? error.message) : String(error),
  };
}
