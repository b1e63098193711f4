import type { Line, MessageRow, SessionRow, UsageBy, UsageSum } from "@copepod/core/admin-api";
import type { Delivery } from "@copepod/core/channel-api";
import type { ErrorCode } from "@copepod/core/errors";
import type { MessageFile, Uploaded } from "@copepod/core/files";
import type { AgentMessage, UsageEntry } from "@copepod/core/mailbox-api";
import type {
  ChannelError,
  ControlMessage,
  FailureClass,
  InboundKind,
  InboundState,
  MailboxMessage,
  OutboundState,
} from "@copepod/core/messages";

/** Who may take rows of a session: all four are checked inside every transaction that takes, extends or finishes. */
export interface Holder {
  /** Row key `<namespace>/<name>`. */
  readonly session: string;
  readonly epoch: number;
  readonly podUid: string;
  readonly instance: string;
}

/** What files take. */
export interface FileRoom {
  readonly files: number;
  readonly bytes: number;
}

export interface ConversationInput {
  readonly namespace: string;
  readonly channel: string;
  readonly address: string;
  readonly name: string | undefined;
  readonly isGroup: boolean;
  /** true = the router serves the channel itself: a message out is delivered by its commit. */
  readonly servedByRouter: boolean;
  /** Stands before the first slash of the addresses of one person's conversations, whose number is bounded. */
  readonly owner?: string;
}

export interface Conversation extends ConversationInput {
  /** ULID. */
  readonly id: string;
}

export interface IdentityInput {
  /** `<namespace>/<channel>:<platform user id>`. */
  readonly id: string;
  readonly displayName: string | undefined;
}

export type SessionKeyKind = "Conversation" | "Thread" | "Group" | "Schedule";

/** What a session belongs to; conversation and thread as the kind asks for. */
export interface SessionKey {
  readonly kind: SessionKeyKind;
  /** Id of the conversation; undefined for kind Group. */
  readonly conversation: string | undefined;
  readonly thread: string | undefined;
}

export interface SessionInput {
  /** Row key `<namespace>/<name>`. */
  readonly session: string;
  /** Row key of the agent group. */
  readonly group: string;
  readonly keyKind: SessionKeyKind;
  /** Id of the conversation; undefined for kind Group. */
  readonly conversation: string | undefined;
  readonly thread: string | undefined;
  /** Sessions of the group that may be wanted at the same time. */
  readonly maxRunning: number;
}

/** One row to be written for one wiring of an event. */
export interface AcceptRow {
  readonly session: SessionInput;
  readonly kind: Exclude<InboundKind, "control">;
  readonly dedupeKey: string;
  readonly trigger: boolean;
  /** UTC ms; in the future = delayed: no seq and no wake before. */
  readonly due: number;
  /** Conversation id and thread where an answer goes. */
  readonly replyTo: { readonly conversation: string; readonly thread: string | undefined };
  /** Suggested name of the reply conversation in the agent's address book. */
  readonly destinationName: string;
  readonly sender: { readonly identity: string; readonly name: string } | undefined;
  readonly body: RowBody;
  /** W3C traceparent. */
  readonly trace: string | undefined;
}

/** Files that it names are kept as long as the row; their blobs are asked for with `useBlobs` before. */
export type RowBody = Readonly<Record<string, unknown>> & { readonly files?: readonly MessageFile[] | undefined };

/** A refused event: kept as a dead row of session '' so that it does not vanish. */
export interface RefusedRow {
  readonly conversation: string;
  readonly dedupeKey: string;
  readonly code: ErrorCode;
  /** One sentence: stored, and told when `tell` is set. */
  readonly reason: string;
  readonly sender: string | undefined;
  readonly body: RowBody;
  /** Thread to tell it in; `false` = tell nobody. */
  readonly tell: false | { readonly thread: string | undefined };
}

/** All rows of one event, written in one commit with the others of its batch. */
export interface AcceptEvent {
  readonly rows: readonly AcceptRow[];
  readonly refused: readonly RefusedRow[];
}

export type AcceptOutcome =
  | { readonly outcome: "accepted"; readonly id: string; readonly seq: number | undefined; readonly wake: Wake }
  | { readonly outcome: "duplicate"; readonly id: string }
  /** The lane has no room. Written as a dead row; the conversation was told, once until there is room again. */
  | { readonly outcome: "laneFull" };

/** What an accepted row did to its session. */
export type Wake =
  | { readonly kind: "none" | "awake" }
  /** `evicted`: the session that was put to sleep to make room. */
  | { readonly kind: "woken"; readonly epoch: number; readonly evicted?: string }
  /** `maxRunning` is reached: place in line, 1 = next. */
  | { readonly kind: "waiting"; readonly place: number; readonly first: boolean };

export interface Taken {
  readonly messages: readonly MailboxMessage[];
  readonly control: readonly ControlMessage[];
  readonly alreadySent: readonly AgentMessage[];
  /** When nothing was there: UTC ms at which a row of this lane becomes due or retriable. */
  readonly nextAt: number | undefined;
  readonly draining: boolean;
}

export interface FinishInput {
  readonly turn: number;
  readonly consumed: readonly number[];
  readonly messages: readonly AgentMessage[];
  readonly cancelled: boolean;
  /** Told to the turn's conversation as a sentence of the router. */
  readonly notice: string | undefined;
}

/** What a commit made visible: whom to notify. */
export interface Written {
  /** Channels (row keys) that have something to deliver. */
  readonly channels: readonly string[];
  /** Ids of conversations that a client may be waiting on. */
  readonly conversations: readonly string[];
}

export interface FailInput {
  readonly turn: number;
  readonly rows: readonly number[];
  readonly class: FailureClass;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

/** The truth that the session starter is told. */
export interface SessionWish {
  readonly session: string;
  readonly group: string;
  readonly key: SessionKey;
  readonly wanted: boolean;
  readonly epoch: number;
}

/** Row keys. */
export interface Paused {
  readonly groups: readonly string[];
  readonly sessions: readonly string[];
}

export interface ExpiredHolder {
  readonly session: string;
  readonly instance: string;
}

export interface ListMessages {
  /** Undefined: all. A session's key says it too. */
  readonly namespace?: string | undefined;
  readonly session: string | undefined;
  /** Only of conversations that the router serves, with such addresses. */
  readonly addressPrefix?: string | undefined;
  readonly state: InboundState | OutboundState | undefined;
  readonly kind: InboundKind | undefined;
  readonly limit: number;
}

export interface UsageQuery {
  readonly namespace: string;
  readonly by: UsageBy;
  /** UTC ms. */
  readonly since: number;
}

export interface AuditRow {
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly detail: string;
}

/**
 * The durable queue. Each method is one transaction, and resolves after its commit; calls made in the same tick share
 * one commit. Every method rejects with CopepodError `diskFull` or `unavailable` when the database can't write, and
 * has then changed nothing. Time comes from the clock that the implementation was built with.
 */
export interface QueueStore extends AsyncDisposable {
  // --- in ---
  /**
   * Finds or makes the rows of a conversation and an identity, and notes that they were seen.
   * @throws CopepodError `forbidden` when its owner has as many as one may have
   */
  introduce(conversation: ConversationInput, identity: IdentityInput | undefined): Promise<Conversation>;
  conversation(id: string): Promise<Conversation | undefined>;
  /** Outcomes in the order of the event's rows. Refused rows are written too. */
  accept(event: AcceptEvent): Promise<{ readonly outcomes: readonly AcceptOutcome[] } & Written>;
  /** Whether a row with the dedupe key was accepted before. */
  isKnown(session: string, dedupeKey: string): Promise<boolean>;
  /** Several events and the cursor of their channel in one commit. */
  acceptBatch(
    events: readonly AcceptEvent[],
    cursor: { readonly channel: string; readonly value: string } | undefined,
  ): Promise<{ readonly outcomes: readonly (readonly AcceptOutcome[])[] } & Written>;
  /** Gives seqs to delayed rows that are due; wakes like accept. @returns sessions with new rows or another wish, and the next due time. */
  promoteDue(): Promise<{ readonly sessions: readonly string[]; readonly nextAt: number | undefined }>;

  // --- sessions ---
  /** Rows of all sessions that are wanted, or that were unwanted since the router last said so to the starter. */
  wishes(): Promise<readonly SessionWish[]>;
  wish(session: string): Promise<SessionWish | undefined>;
  /** The starter has taken the wish: a session that is unwanted is no longer among `wishes` until that changes. */
  settle(wish: SessionWish): Promise<void>;
  /**
   * The starter has a new pod for the session's epoch: changes the UID, releases the leases of the one before, clears
   * "draining". No effect for an older epoch, the known UID or one that was replaced. A greater epoch raises the row's.
   * That the session failed to start is forgotten only when its runner says hello.
   */
  observePod(pod: { readonly session: string; readonly epoch: number; readonly podUid: string }): Promise<boolean>;
  /**
   * The starter has heard of a greater epoch before: a restored backup must not go back. Whoever holds the session is ended.
   * No effect for one that is not greater.
   */
  raiseEpoch(session: string, epoch: number): Promise<void>;
  /** What keeps the wanted session's pod from starting, for now. Tells the conversations with open rows, once per epoch. */
  hindered(session: string, epoch: number, reason: string): Promise<Written>;
  /** The pod of the epoch is to be replaced: nothing new is leased to it, and `replaceDrained` ends it after its turn. */
  requestDrain(session: string, epoch: number): Promise<boolean>;
  /**
   * Puts sessions to sleep that are to be drained and whose turn is over; wakes them with the next epoch when they have work
   * and are not paused. @returns those whose wish has changed
   */
  replaceDrained(): Promise<{ readonly sessions: readonly string[] } & Written>;
  /**
   * The full list of what people have paused: such sessions don't wake, and their rows wait. Those that are awake are to be
   * drained. @returns these
   */
  setPaused(paused: Paused): Promise<readonly string[]>;
  /** The pod can't start: unwanted until `retryAt`, with a reason. Tells the conversations with open rows when the reason is news. */
  startFailed(session: string, epoch: number, reason: string): Promise<{ readonly retryAt: number } & Written>;
  /** Sessions of the group that failed to start may try again at once: what kept them may be over. */
  endBackOff(group: string): Promise<void>;
  /** Unwanted, if idle: nothing pending, nothing leased, nothing due within `graceMs`, last active before `activeBefore`. */
  sleepIfIdle(session: string, activeBefore: number, graceMs: number): Promise<boolean>;
  /** Wanted sessions of the group that were last active before the time, oldest first. */
  idleCandidates(group: string, activeBefore: number, limit: number): Promise<readonly string[]>;
  /**
   * Wakes the longest waiting sessions of the group as far as `maxRunning` allows, failed ones when `retryAt` has come;
   * makes room as accept does. @returns sessions whose wish has changed
   */
  admit(group: string, maxRunning: number): Promise<readonly string[]>;
  /** Groups that have sessions which are wanted or wait. */
  activeGroups(): Promise<readonly string[]>;

  // --- mailbox ---
  hello(holder: Holder): Promise<void>;
  /** Also ends rows that were tried too often, and tells it. */
  take(holder: Holder, input: { readonly held: readonly number[]; readonly limit: number }): Promise<Taken & Written>;
  /** Restarts the lease. */
  extend(holder: Holder): Promise<{ readonly draining: boolean }>;
  post(
    holder: Holder,
    input: AgentMessage & { readonly turn: number; readonly occurrence: number },
  ): Promise<{ readonly seq: number; readonly duplicate: boolean } & Written>;
  finish(holder: Holder, input: FinishInput): Promise<{ readonly repeated: boolean } & Written>;
  fail(holder: Holder, input: FailInput): Promise<{ readonly dead: readonly number[] } & Written>;
  acknowledge(holder: Holder, control: readonly string[]): Promise<void>;
  drain(session: string, epoch: number, podUid: string): Promise<void>;
  /** Ends holders whose lease time is over: their rows are pending again, the instance is refused for good. */
  expireHolders(): Promise<readonly ExpiredHolder[]>;
  /** Address book of the session. */
  destinations(session: string): Promise<readonly { readonly name: string; readonly displayName: string }[]>;
  /** A stop for the turn that runs in a session with an open row of the conversation. @returns sessions that got one. */
  stop(conversation: string, identity: string): Promise<readonly string[]>;

  // --- out ---
  channelHello(channel: string, instance: string): Promise<{ readonly cursor: string | undefined }>;
  /** What the instance holds beyond `held`, then heads of the channel's lanes, leased to the instance; `limit` 0 = only renews. */
  leaseOut(
    channel: string,
    instance: string,
    input: { readonly held: readonly string[]; readonly limit: number },
  ): Promise<{ readonly deliveries: readonly Delivery[]; readonly nextAt: number | undefined }>;
  completeOut(channel: string, instance: string, id: string, platformMessageId: string): Promise<Written>;
  failOut(channel: string, instance: string, id: string, error: ChannelError): Promise<Written>;
  /** Ends adapter hosts whose lease time is over. */
  expireHosts(): Promise<readonly string[]>;
  /** Ends messages out that are older than they may be: as dead letters, or as unknown when one may have been shown. */
  expireDeliveries(): Promise<Written>;

  // --- blobs ---
  /** The bytes are on the disk. @param session who sent them; undefined = the owner. @returns whether they are new. */
  blobStored(blob: Uploaded, session: string | undefined): Promise<boolean>;
  /** Keeps the blobs for the grace, until a row refers to them. @throws CopepodError `invalid` when one is not there */
  useBlobs(files: readonly MessageFile[]): Promise<void>;
  /** Whether the session has uploaded the blob, or has a row that refers to it. */
  maySeeBlob(session: string, hash: string): Promise<boolean>;
  /** Whether a row has the blob in a conversation that the router serves itself and whose address begins so. */
  isBlobIn(hash: string, addressPrefix: string): Promise<boolean>;
  /** What the session has uploaded and no row refers to. */
  unsentBlobs(session: string): Promise<FileRoom>;
  /** All blobs whose hash begins so. */
  blobsIn(prefix: string): Promise<readonly Uploaded[]>;
  /** Forgets blobs that no row refers to and nobody has used since the time, some per call. @returns which. */
  forgetBlobs(usedBefore: number): Promise<readonly Uploaded[]>;

  // --- reading and keeping ---
  /** Lines to the person after a position, oldest first, and ids of the conversation's open rows. */
  linesAfter(
    conversation: string,
    after: number,
    limit: number,
  ): Promise<{ readonly lines: readonly Line[]; readonly position: number; readonly open: readonly string[] }>;
  history(conversation: string, limit: number): Promise<{ readonly lines: readonly Line[]; readonly position: number }>;
  /** @param addressPrefix only of conversations that the router serves, with such addresses */
  listSessions(namespace: string, limit: number, addressPrefix?: string): Promise<readonly SessionRow[]>;
  session(session: string): Promise<SessionRow | undefined>;
  listMessages(query: ListMessages): Promise<readonly MessageRow[]>;
  /**
   * Makes a dead or unknown row pending again, at the end of its lane. @param namespace only a row of this one
   * @throws CopepodError notFound, conflict
   */
  retry(id: string, namespace?: string): Promise<{ readonly item: MessageRow; readonly wake: Wake } & Written>;
  audit(row: AuditRow): Promise<void>;
  /**
   * Notes what requests of a session to model APIs took, for the sender of the rows that it works on, or worked on last.
   * @returns ids of the entries that were not there before
   */
  recordUsage(session: string, entries: readonly UsageEntry[]): Promise<readonly string[]>;
  /** Sums, the dearest first. */
  usage(query: UsageQuery): Promise<readonly UsageSum[]>;
  /** Removes rows that ended before the time, some per call. @returns how many. */
  purge(endedBefore: number): Promise<number>;
  backup(path: string): Promise<{ readonly bytes: number }>;
  /** Figures for metrics. */
  stats(): Promise<QueueStats>;
}

/** Rows in by state without context, which neither waits nor is counted; `done` and `dead` until they are purged. */
export interface QueueStats {
  readonly inbound: Readonly<Record<InboundState, number>>;
  readonly outbound: Readonly<Record<OutboundState, number>>;
  readonly oldestPendingAt: number | undefined;
  readonly walBytes: number;
}

/** Both clocks of the machine: wall time for what people see, monotonic time for leases. */
export interface Clock {
  /** UTC milliseconds; may jump. */
  now(): number;
  /** Milliseconds that never jump. */
  monotonic(): number;
}
