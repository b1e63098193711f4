import { backoffMs, inboundBackoff, outboundBackoff } from "@copepod/core/backoff";
import { maxInboundAttempts, maxOutboundAgeMs } from "@copepod/core/limits";
import type { FailureClass } from "@copepod/core/messages";
import { sentences } from "../sentences.ts";
import type { ModelOut, ModelRow, ModelSession } from "./testing-rows.ts";

/** Random numbers of the store under test: none, so that back-offs can be foreseen. */
export const noJitter = 0;
export const maxRunning = 2;

/**
 * The promises of the queue in plain data. Each session has one conversation of its own: the first is served by the
 * router, the others go out through one channel.
 */
export class QueueModel {
  readonly sessions: ModelSession[];
  rows: ModelRow[] = [];
  /** In the order of their positions. */
  out: ModelOut[] = [];
  host: string | undefined;
  knownOut: string[] = [];
  met = new Set<string>();
  counter = 0;
  line = 0;

  constructor(names: readonly string[]) {
    this.sessions = names.map((name) => ({
      name,
      wanted: false,
      epoch: 0,
      lastSeq: 0,
      waiting: undefined,
      failures: 0,
      retryAt: undefined,
      activeAt: 0,
      pod: 0,
      podKnown: false,
      instance: undefined,
      known: [],
    }));
  }

  session(name: string): ModelSession {
    const found = this.sessions.find((session) => session.name === name);
    if (!found) throw new Error(`no session ${name}`);
    return found;
  }

  rowsOf(session: string, state: ModelRow["state"]): ModelRow[] {
    return this.rows
      .filter((row) => row.session === session && row.state === state && row.seq !== undefined)
      .sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
  }

  /** A session comes into being with its first row, and stays. */
  isKnown(name: string): boolean {
    return this.met.has(name);
  }

  /** Rows that count as waiting: not context, and not what becomes due later. */
  pending(name: string): number {
    return this.rows.filter(
      ({ session, trigger, seq, endedAt }) => session === name && trigger && seq !== undefined && endedAt === undefined,
    ).length;
  }

  // --- in ---

  accept(row: Pick<ModelRow, "session" | "key" | "text" | "kind" | "trigger" | "due">, now: number): boolean {
    if (this.rows.some(({ session, key }) => session === row.session && key === row.key)) return false;
    const session = this.session(row.session);
    this.met.add(row.session);
    session.activeAt = now;
    const seq = row.due > now ? undefined : ++session.lastSeq;
    const fresh = { attempt: 0, retryAt: undefined, code: undefined, endedAt: undefined, lastError: undefined };
    this.rows.push({ ...row, ...fresh, seq, state: "pending" });
    if (!row.trigger || seq === undefined) return true;
    const waited = session.waiting !== undefined;
    this.wake(session, now);
    if (session.waiting !== undefined && !waited) this.tell(session.name, this.whyItWaits(session, now), now);
    return true;
  }

  whyItWaits(session: ModelSession, now: number): string {
    if (session.retryAt !== undefined && session.retryAt > now) return sentences.startFailed("broken");
    const line = this.sessions.filter(({ waiting }) => waiting !== undefined && waiting <= (session.waiting ?? 0));
    return sentences.placeInLine(maxRunning, line.length);
  }

  promote(now: number): void {
    const due = this.rows.filter((row) => row.seq === undefined && row.state === "pending" && row.due <= now);
    for (const row of due.sort((a, b) => a.due - b.due)) {
      const session = this.session(row.session);
      row.seq = ++session.lastSeq;
      session.activeAt = now;
      if (row.trigger) this.wake(session, now);
    }
  }

  wake(session: ModelSession, now: number): void {
    if (session.wanted) return;
    const backsOff = session.retryAt !== undefined && session.retryAt > now;
    if (!backsOff && (this.running() < maxRunning || this.evictIdle())) this.start(session, now);
    else session.waiting ??= ++this.line;
  }

  /** @returns names of the sessions whose wish has changed. */
  admit(now: number): string[] {
    const line = this.sessions
      .filter(({ waiting, retryAt }) => waiting !== undefined && (retryAt === undefined || retryAt <= now))
      .sort((a, b) => (a.waiting ?? 0) - (b.waiting ?? 0));
    const changed: string[] = [];
    for (const session of line) {
      const evicted = this.running() < maxRunning ? undefined : this.evictIdle();
      if (this.running() >= maxRunning) break;
      if (evicted) changed.push(evicted.name);
      this.start(session, now);
      changed.push(session.name);
    }
    return changed;
  }

  /** The session that has had nothing to do for the longest time gives its place. */
  evictIdle(): ModelSession | undefined {
    const hasWork = (name: string) => this.rows.some((row) => row.session === name && row.trigger && !row.endedAt);
    const [idle] = this.sessions
      .filter(({ name, wanted }) => wanted && !hasWork(name))
      .sort((a, b) => a.activeAt - b.activeAt || (a.name < b.name ? -1 : 1));
    if (!idle) return undefined;
    this.release(idle);
    idle.wanted = false;
    return idle;
  }

  start(session: ModelSession, now: number): void {
    this.endInstance(session);
    const awake = { wanted: true, epoch: session.epoch + 1, waiting: undefined, podKnown: false, activeAt: now };
    Object.assign(session, awake);
  }

  running(): number {
    return this.sessions.filter(({ wanted }) => wanted).length;
  }

  sleep(session: ModelSession, now: number): boolean {
    const isBusy = this.rows.some(
      (row) =>
        row.session === session.name &&
        row.trigger &&
        (row.state === "leased" || (row.state === "pending" && (row.seq !== undefined || row.due <= now))),
    );
    if (!session.wanted || isBusy) return false;
    this.release(session);
    session.wanted = false;
    return true;
  }

  startFailed(session: ModelSession, at: { now: number; retryAt: number; reason: string }): void {
    const askers = this.rowsOf(session.name, "leased").concat(this.rowsOf(session.name, "pending"));
    const isAsked = askers.some(({ trigger }) => trigger);
    this.endInstance(session);
    session.wanted = false;
    session.failures += 1;
    session.retryAt = at.retryAt;
    if (isAsked) session.waiting ??= ++this.line;
    if (isAsked && session.failures === 1) this.tell(session.name, sentences.startFailed(at.reason), at.now);
  }

  // --- mailbox ---

  hello(session: ModelSession, { instance, newPod }: { instance: string; newPod: boolean }): void {
    if (newPod || !session.podKnown) session.pod += 1;
    session.podKnown = true;
    this.endInstance(session);
    session.instance = instance;
    session.failures = 0;
    session.retryAt = undefined;
  }

  endInstance(session: ModelSession): void {
    this.release(session);
    session.instance = undefined;
  }

  release(session: ModelSession): void {
    for (const row of this.rowsOf(session.name, "leased")) row.state = "pending";
    session.known = [];
  }

  /** @returns texts of the rows that are handed out. */
  take(session: ModelSession, { limit, now }: { limit: number; now: number }): ModelRow[] {
    const leased = this.rowsOf(session.name, "leased");
    const lost = leased.filter(({ seq }) => !session.known.includes(seq ?? 0));
    if (lost.length > 0) return lost;
    if (!session.wanted) return [];
    const batch = this.nextBatch(session, { isRunning: leased.some(({ trigger }) => trigger), limit, now });
    if (!batch.some(({ trigger }) => trigger)) return [];
    for (const row of batch) Object.assign(row, { state: "leased", attempt: row.attempt + 1, retryAt: undefined });
    return batch;
  }

  nextBatch(
    session: ModelSession,
    { isRunning, limit, now }: { isRunning: boolean; limit: number; now: number },
  ): ModelRow[] {
    const batch: ModelRow[] = [];
    for (const row of this.rowsOf(session.name, "pending")) {
      if (row.retryAt !== undefined && row.retryAt > now) break;
      if (row.attempt >= maxInboundAttempts) {
        this.bury([row], { code: "attemptsExhausted", text: sentences.attemptsExhausted(row.lastError ?? null), now });
      } else if (!follows(row, batch, { isRunning, limit })) break;
      else batch.push(row);
    }
    return batch;
  }

  finish(
    session: ModelSession,
    { consumed, text, now }: { consumed: readonly number[]; text: string; now: number },
  ): void {
    this.say(session, { text, now });
    session.activeAt = now;
    for (const row of this.rowsOf(session.name, "leased")) {
      if (consumed.includes(row.seq ?? 0)) Object.assign(row, { state: "done", endedAt: now });
    }
    session.known = session.known.filter((seq) => !consumed.includes(seq));
  }

  /** The text names the turn, so that an equal one is a repeat. */
  post(session: ModelSession, { text, now }: { text: string; now: number }): boolean {
    if (this.out.some((row) => row.session === session.name && row.text === text)) return false;
    this.say(session, { text, now });
    session.activeAt = now;
    return true;
  }

  fail(session: ModelSession, { kind, message, now }: { kind: FailureClass; message: string; now: number }): void {
    const rows = this.rowsOf(session.name, "leased").filter(({ seq }) => session.known.includes(seq ?? 0));
    session.known = [];
    if (kind === "permanent") {
      this.bury(rows, { code: "providerFailed", text: sentences.providerFailed(message), now });
      return;
    }
    const delay = backoffMs(inboundBackoff, Math.max(...rows.map(({ attempt }) => attempt)), noJitter);
    const dying = rows.filter(({ attempt }) => attempt >= maxInboundAttempts);
    this.bury(dying, { code: "attemptsExhausted", text: sentences.attemptsExhausted(message), now });
    for (const row of rows) {
      if (row.state === "leased") Object.assign(row, { state: "pending", retryAt: now + delay, lastError: message });
    }
  }

  bury(rows: readonly ModelRow[], { code, text, now }: { code: string; text: string; now: number }): void {
    for (const row of rows) Object.assign(row, { state: "dead", code, endedAt: now, retryAt: undefined });
    const [first] = rows.filter(({ trigger }) => trigger);
    if (first) this.session(first.session).activeAt = now;
    if (first) this.tell(first.session, text, now);
  }

  // --- out ---

  say(session: ModelSession, { text, now }: { text: string; now: number }): void {
    this.write({ session: session.name, lane: session.name, text, seq: ++session.lastSeq }, now);
  }

  tell(lane: string, text: string, now: number): void {
    this.write({ session: "", lane, text, seq: undefined }, now);
  }

  write(row: Pick<ModelOut, "session" | "lane" | "text" | "seq">, now: number): void {
    const isServed = this.isServed(row.lane);
    const fresh = { attempt: 0, uncertain: false, retryAt: undefined, code: undefined };
    this.out.push({
      ...row,
      ...fresh,
      state: isServed ? "sent" : "pending",
      expiresAt: now + maxOutboundAgeMs,
      endedAt: isServed ? now : undefined,
    });
  }

  isServed(lane: string): boolean {
    return lane === this.sessions[0]?.name;
  }

  /** Rows that may go out now: the head of each lane, unless it is leased or waits. */
  readyOut(now: number): ModelOut[] {
    const heads = new Map<string, ModelOut>();
    for (const row of this.out) if (row.endedAt === undefined && !heads.has(row.lane)) heads.set(row.lane, row);
    return [...heads.values()].filter((row) => row.state === "pending" && (row.retryAt ?? 0) <= now);
  }

  hostHello(instance: string): void {
    for (const row of this.out) if (row.state === "leased") Object.assign(row, { state: "pending", uncertain: true });
    this.host = instance;
    this.knownOut = [];
  }

  failOut(row: ModelOut, { kind, now }: { kind: FailureClass; now: number }): void {
    if (kind === "unknown") this.park(row, { state: "unknown", code: "outcomeUnknown", reason: "broken", now });
    else if (kind === "permanent") this.park(row, { state: "dead", code: "channelFailed", reason: "broken", now });
    else if (now >= row.expiresAt)
      this.park(row, { state: "dead", code: "expired", reason: sentences.expired("broken"), now });
    else {
      const retryAt = now + backoffMs(outboundBackoff, row.attempt, noJitter);
      Object.assign(row, { state: "pending", uncertain: false, retryAt });
    }
  }

  park(
    row: ModelOut,
    { state, code, reason, now }: { state: "dead" | "unknown"; code: string; reason: string; now: number },
  ) {
    Object.assign(row, { state, code, endedAt: now, retryAt: undefined });
    if (row.session === "") return;
    const session = this.session(row.session);
    const text =
      state === "dead"
        ? sentences.notDelivered(destinationOf(row.lane), reason)
        : sentences.deliveryUnknown(destinationOf(row.lane), reason);
    const key = `note ${++this.counter}`;
    const { activeAt } = session;
    this.accept({ session: session.name, key, text, kind: "chat", trigger: false, due: now }, now);
    // A note of Copepod itself is no sign of life.
    session.activeAt = activeAt;
  }

  // --- keeping ---

  retryIn(row: ModelRow, now: number): void {
    const session = this.session(row.session);
    const fresh = { state: "pending", attempt: 0, code: undefined, endedAt: undefined, lastError: undefined };
    Object.assign(row, { ...fresh, seq: ++session.lastSeq, due: Math.min(row.due, now) });
    if (!row.trigger) return;
    session.activeAt = now;
    this.wake(session, now);
  }

  retryOut(row: ModelOut, now: number): void {
    const uncertain = row.state === "unknown";
    const fresh = { state: "pending", attempt: 0, uncertain, code: undefined, endedAt: undefined };
    Object.assign(row, { ...fresh, expiresAt: now + maxOutboundAgeMs });
    this.out = [...this.out.filter((each) => each !== row), row];
  }

  purge(before: number): void {
    const stays = ({ endedAt }: { endedAt: number | undefined }) => endedAt === undefined || endedAt >= before;
    this.rows = this.rows.filter(stays);
    this.out = this.out.filter(stays);
  }

  jump(ms: number): void {
    for (const row of [...this.rows, ...this.out, ...this.sessions]) {
      if (row.retryAt !== undefined) row.retryAt += ms;
    }
    for (const row of this.out) if (row.endedAt === undefined) row.expiresAt += ms;
    for (const session of this.sessions) session.activeAt += ms;
  }
}

/** May the row come with those before it? */
function follows(
  row: ModelRow,
  batch: readonly ModelRow[],
  { isRunning, limit }: { isRunning: boolean; limit: number },
): boolean {
  const triggers = batch.filter(({ trigger }) => trigger);
  if (triggers.some(isAlone)) return false;
  if (row.kind !== "chat" && isRunning) return false;
  if (isAlone(row) && (isRunning || triggers.length > 0)) return false;
  return !row.trigger || triggers.length < limit;
}

/** What is no chat, and chat that failed twice, makes a turn of its own. */
const isAlone = (row: ModelRow): boolean => row.trigger && (row.kind !== "chat" || row.attempt >= 2);

/** The address book names a conversation after the session's key. */
export const destinationOf = (lane: string): string => lane.replace("/", "-");

/** What names an open delivery: a lane has one at a time. */
export const keyOfDelivery = (lane: string, text: string): string => `${lane} ${text}`;
