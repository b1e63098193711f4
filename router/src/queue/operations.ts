import { accept, acceptBatch } from "./accept.ts";
import { recordAudit } from "./audit.ts";
import { acknowledge, stop } from "./control.ts";
import { drain, expireHolders, extend, hello, observePod } from "./holders.ts";
import { conversation, introduce } from "./introduce.ts";
import { purge, retry } from "./keeping.ts";
import { history, linesAfter } from "./lines.ts";
import { destinations, listMessages, listSessions } from "./lists.ts";
import { channelHello, completeOut, expireHosts, failOut, leaseOut } from "./outbound.ts";
import type { QueueStore } from "./queue-store.ts";
import {
  activeGroups,
  idleCandidates,
  promoteDue,
  settle,
  sleepIfIdle,
  startFailed,
  wish,
  wishes,
} from "./session-life.ts";
import { stats } from "./stats.ts";
import { take } from "./take.ts";
import type { Transaction } from "./transaction.ts";
import { fail, finish, post } from "./turns.ts";
import { admit } from "./waking.ts";

/** What the database thread is asked to do: every method of the store but those that work on the file itself. */
export type CommandName = Exclude<keyof QueueStore, "backup" | "stats" | typeof Symbol.asyncDispose> | "figures";

export type CommandArguments<K extends CommandName> =
  Parameters<Operations[K]> extends [Transaction, ...infer A] ? A : never;

export type CommandResult<K extends CommandName> = ReturnType<Operations[K]>;

type Operations = typeof operations;

export const operations = {
  introduce,
  conversation,
  accept,
  acceptBatch,
  promoteDue,
  wishes,
  wish,
  settle,
  observePod,
  startFailed,
  sleepIfIdle,
  idleCandidates,
  admit,
  activeGroups,
  hello,
  take,
  extend,
  post,
  finish,
  fail,
  acknowledge,
  drain,
  expireHolders,
  destinations,
  stop,
  channelHello,
  leaseOut,
  completeOut,
  failOut,
  expireHosts,
  linesAfter,
  history,
  listSessions,
  listMessages,
  retry,
  audit: recordAudit,
  purge,
  figures: stats,
};

/** Only read: they run on their own handle after the commit of the batch, so that they never make it longer. */
export const readOnly: ReadonlySet<CommandName> = new Set<CommandName>([
  "conversation",
  "wishes",
  "wish",
  "idleCandidates",
  "activeGroups",
  "destinations",
  "linesAfter",
  "history",
  "listSessions",
  "listMessages",
  "figures",
]);

/** Never throws but for a fault or an outage, so it needs no savepoint: the hot path. */
export const neverThrows: ReadonlySet<CommandName> = new Set<CommandName>(["accept", "acceptBatch"]);
