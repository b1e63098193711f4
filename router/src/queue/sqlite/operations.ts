import type { QueueStore } from "../queue-store.ts";
import { accept, acceptBatch, isKnown } from "./rules/accept.ts";
import { recordAudit } from "./rules/audit.ts";
import { blobStored, blobsIn, forgetBlobs, isBlobIn, maySeeBlob, unsentBlobs, useBlobs } from "./rules/blobs.ts";
import { acknowledge, stop } from "./rules/control.ts";
import { drain, expireHolders, extend, hello, observePod } from "./rules/holders.ts";
import { conversation, introduce } from "./rules/introduce.ts";
import { purge, retry } from "./rules/keeping.ts";
import { history, linesAfter } from "./rules/lines.ts";
import { destinations, listMessages, listSessions, session } from "./rules/lists.ts";
import { channelHello, completeOut, expireDeliveries, expireHosts, failOut, leaseOut } from "./rules/outbound.ts";
import { setPaused } from "./rules/pauses.ts";
import {
  activeGroups,
  idleCandidates,
  promoteDue,
  settle,
  sleepIfIdle,
  startFailed,
  wish,
  wishes,
} from "./rules/session-life.ts";
import { endBackOff, hindered, raiseEpoch, replaceDrained, requestDrain } from "./rules/starter-reports.ts";
import { stats } from "./rules/stats.ts";
import { take } from "./rules/take.ts";
import { fail, finish, post } from "./rules/turns.ts";
import { recordUsage, usage } from "./rules/usage.ts";
import { admit } from "./rules/waking.ts";
import type { Transaction } from "./transaction.ts";

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
  isKnown,
  promoteDue,
  wishes,
  wish,
  settle,
  observePod,
  raiseEpoch,
  hindered,
  endBackOff,
  requestDrain,
  replaceDrained,
  setPaused,
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
  expireDeliveries,
  blobStored,
  useBlobs,
  maySeeBlob,
  isBlobIn,
  unsentBlobs,
  blobsIn,
  forgetBlobs,
  linesAfter,
  history,
  listSessions,
  session,
  listMessages,
  retry,
  audit: recordAudit,
  recordUsage,
  usage,
  purge,
  figures: stats,
};

/** Only read: they run on their own handle after the commit of the batch, so that they never make it longer. */
export const readOnly: ReadonlySet<CommandName> = new Set<CommandName>([
  "conversation",
  "isKnown",
  "wishes",
  "wish",
  "idleCandidates",
  "activeGroups",
  "destinations",
  "maySeeBlob",
  "isBlobIn",
  "unsentBlobs",
  "blobsIn",
  "linesAfter",
  "history",
  "listSessions",
  "session",
  "listMessages",
  "usage",
  "figures",
]);

/** Never throws but for a fault or an outage, so it needs no savepoint: the hot path. */
export const neverThrows: ReadonlySet<CommandName> = new Set<CommandName>(["accept", "acceptBatch"]);
