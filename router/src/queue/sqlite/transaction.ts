import type Database from "better-sqlite3";
import type { Written } from "../queue-store.ts";
import type { Leases } from "./leases.ts";

/** A statement with the types of its parameters and of its rows; prepared once per database handle. */
export interface Sql<P extends readonly unknown[], R> {
  readonly text: string;
  /** Never set: carries the types. */
  readonly types?: (parameters: P) => R;
}

export const sql = <P extends readonly unknown[], R = never>(text: string): Sql<P, R> => ({ text });

/** Called before each statement; a test throws from it to stand for a crash. */
export type FaultHook = (statement: string) => void;

/** What every command of a queue works with. One per database handle; `now` and `monotonic` are those of the command. */
export class Transaction {
  now = 0;
  monotonic = 0;
  readonly id: () => string;
  readonly random: () => number;
  /** Lease times of runner instances, by session, and of adapter hosts, by channel. */
  readonly holders: Leases;
  readonly hosts: Leases;
  /** Monotonic time at which a control row was handed to an instance, by row and instance. */
  readonly controlHandedAt = new Map<string, number>();
  /** Lane that was looked at last, by channel: where the walk over its lanes goes on. */
  readonly lastLane = new Map<string, string>();
  readonly #database: Database.Database;
  readonly #fault: FaultHook | undefined;
  readonly #statements = new Map<Sql<never, unknown>, Database.Statement<unknown[], unknown>>();
  #channels = new Set<string>();
  #conversations = new Set<string>();

  constructor(database: Database.Database, shared: Shared) {
    this.#database = database;
    this.#fault = shared.fault;
    this.id = () => shared.ids(this.now);
    this.random = shared.random;
    this.holders = shared.holders;
    this.hosts = shared.hosts;
  }

  /** Starts the next command. */
  at(now: number, monotonic: number): void {
    this.now = now;
    this.monotonic = monotonic;
    if (this.#channels.size > 0) this.#channels = new Set();
    if (this.#conversations.size > 0) this.#conversations = new Set();
  }

  /** @returns how many rows were changed. */
  run<P extends readonly unknown[]>(statement: Sql<P, unknown>, ...parameters: P): number {
    return this.#prepared(statement).run(...parameters).changes;
  }

  get<P extends readonly unknown[], R>(statement: Sql<P, R>, ...parameters: P): R | undefined {
    return this.#prepared(statement).get(...parameters);
  }

  all<P extends readonly unknown[], R>(statement: Sql<P, R>, ...parameters: P): R[] {
    return this.#prepared(statement).all(...parameters);
  }

  /** Runs a statement that was built for this call. */
  once<R>(text: string, parameters: readonly unknown[]): R[] {
    this.#fault?.(text);
    return this.#database.prepare<unknown[], R>(text).all(...parameters);
  }

  /** Runs a text to its end, where one step of a statement would not be all of it. */
  exec(text: string): void {
    this.#fault?.(text);
    this.#database.exec(text);
  }

  get open(): boolean {
    return this.#database.inTransaction;
  }

  notifyChannel(channel: string): void {
    this.#channels.add(channel);
  }

  notifyConversation(conversation: string): void {
    this.#conversations.add(conversation);
  }

  /** Whom the command's commit concerns. */
  written(): Written {
    return { channels: [...this.#channels], conversations: [...this.#conversations] };
  }

  #prepared<P extends readonly unknown[], R>(statement: Sql<P, R>): Database.Statement<unknown[], R> {
    this.#fault?.(statement.text);
    let prepared = this.#statements.get(statement);
    if (!prepared) {
      prepared = this.#database.prepare(statement.text);
      this.#statements.set(statement, prepared);
    }
    // The one place where a row gets its type: the statement's author states it beside the text.
    return prepared as Database.Statement<unknown[], R>;
  }
}

export interface Shared {
  readonly ids: (now: number) => string;
  readonly random: () => number;
  readonly holders: Leases;
  readonly hosts: Leases;
  readonly fault: FaultHook | undefined;
}
