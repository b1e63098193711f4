import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pause } from "@copepod/adapter-kit/pause";
import { type Platform, startPlatform } from "@copepod/adapter-kit/test-channel/platform";
import { kill, type Program, programs } from "../../support/processes.ts";
import { System } from "../../support/system.ts";
import { answered, check, type Verdict } from "./checker.ts";
import { inspectQueue, type QueueFindings } from "./database.ts";
import { type KillLane, platformLane, terminalLane } from "./lanes.ts";
import { type SeededRandom, seededRandom } from "./random.ts";

export interface KillOptions {
  readonly kills: number;
  readonly seed: number;
  /** How long it may take until everything is answered once the killing is over. */
  readonly quietMs: number;
  say(line: string): void;
  readonly signal: AbortSignal;
}

export interface KillReport {
  readonly ok: boolean;
  readonly kills: number;
  readonly killed: Readonly<Record<Program, number>>;
  readonly verdict: Verdict;
  readonly queue: QueueFindings;
  readonly seconds: number;
  /** The folder of the system, kept when something was wrong. */
  readonly folder: string | undefined;
}

const directChats = ["ann", "bob", "cleo", "dan"];
const groupThreads = ["team-a", "team-b"];
/**
 * A kill follows the last one a random time after the agent has sent something again: so kills hit a system at work, on
 * a slow machine too. After `idleMs` without that it comes all the same, and hits what is starting.
 */
const killAfter = { minMs: 0, maxMs: 400, idleMs: 2_500 };
const messageGapMs = { min: 20, max: 180 };
/** Idle sessions go to sleep after two seconds; so lanes rest longer than that, in turns. */
const restEvery = 50;
const busyChance = 0.05;
const faultChance = 0.04;
/** While an answer is late, its delivery is under way: the moment in which a host must not be forgetful. */
const slowChance = 0.25;
const redeliverChance = 0.04;
const disconnectChance = 0.01;
/** How many of the last events the platform may deliver again. */
const maxRedeliverable = 100;
const lookEveryMs = 250;
const readMs = 30_000;
/** What could still come twice would come within this time. */
const aftermathMs = 3_000;

/** Lets numbered messages flow through a real system while its processes are killed, then checks what came of it. */
export async function runKills(options: KillOptions): Promise<KillReport> {
  const startedAt = performance.now();
  const home = await mkdtemp(join(tmpdir(), "copepod-kill-"));
  await using platform = await startPlatform({ socket: join(home, "platform.sock") });
  const system = await System.start(resources(platform), home);
  let outcome: { readonly killed: Record<Program, number>; readonly verdict: Verdict };
  try {
    await system.connected("test");
    options.say(`the system runs in ${home}; seed ${options.seed}`);
    outcome = await killAndCheck(system, platform, options);
  } catch (error) {
    throw new Error(`the run with seed ${options.seed} did not come to its end; see ${home}`, { cause: error });
  } finally {
    await system.end("SIGTERM");
  }
  const marks = outcome.verdict.faults.flatMap((fault) => fault.match(/\[.*?\]/)?.[0] ?? []).slice(0, 10);
  const queue = inspectQueue(join(home, "queue.db"), marks);
  const ok = isOk(outcome.verdict, queue);
  if (ok) await rm(home, { recursive: true, force: true });
  const kills = programs.reduce((sum, program) => sum + outcome.killed[program], 0);
  const seconds = (performance.now() - startedAt) / 1_000;
  return { ok, kills, ...outcome, queue, seconds, folder: ok ? undefined : home };
}

function isOk({ lost, duplicated, outOfOrder, misplaced }: Verdict, queue: QueueFindings): boolean {
  return lost + duplicated + outOfOrder + misplaced + queue.open + queue.dead === 0 && queue.integrity === "ok";
}

async function killAndCheck(system: System, platform: Platform, options: KillOptions) {
  const lanes = [
    ...directChats.map((name) => platformLane(platform, name)),
    ...groupThreads.map((name) => platformLane(platform, name, { chat: "team" })),
    terminalLane(system.admin, "terminal-1", options.signal),
  ];
  const calm = new AbortController();
  const flowing = flow(lanes, platform, {
    random: seededRandom(options.seed + 1),
    signal: AbortSignal.any([calm.signal, options.signal]),
  });
  const killed = await killAll(system, platform, options);
  calm.abort();
  await flowing;
  options.say("no more kills; waiting until everything is answered");
  await untilQuiet(system, lanes, options);
  await pause(aftermathMs, options.signal);
  options.signal.throwIfAborted();
  const reading = AbortSignal.any([options.signal, AbortSignal.timeout(readMs)]);
  const records = await Promise.all(lanes.map((lane) => lane.record(reading)));
  return { killed, verdict: check(records) };
}

/** Says messages at a bounded rate, and lets the platform misbehave now and then. */
async function flow(
  lanes: readonly KillLane[],
  platform: Platform,
  { random, signal }: { readonly random: SeededRandom; readonly signal: AbortSignal },
): Promise<void> {
  const events: string[] = [];
  for (let step = 0; !signal.aborted; step++) {
    const turn = Math.floor(step / restEvery);
    const awake = lanes.filter((_, index) => (turn + index) % 3 !== 0);
    const lane = random.pick(awake);
    if (random.chance(busyChance)) lane.sayBusy();
    const event = lane.sayNumbered();
    if (event !== undefined) events.push(event);
    if (events.length > maxRedeliverable) events.shift();
    misbehave(platform, events, random);
    await pause(random.between(messageGapMs.min, messageGapMs.max), signal);
  }
}

function misbehave(platform: Platform, events: readonly string[], random: SeededRandom): void {
  if (random.chance(slowChance)) platform.faults.sends({ kind: "slow", delayMs: random.between(50, 500) }, 1);
  if (random.chance(faultChance)) {
    const lost = { kind: "drop", shown: random.chance(0.5) } as const;
    platform.faults.sends(random.pick([lost, { kind: "status", status: 500 } as const]), 1);
  }
  if (events.length > 0 && random.chance(redeliverChance)) {
    platform.redeliver([random.pick(events), random.pick(events)]);
  }
  if (random.chance(disconnectChance)) platform.disconnect();
}

async function killAll(system: System, platform: Platform, { kills, seed, say, signal }: KillOptions) {
  const random = seededRandom(seed);
  const killed: Record<Program, number> = { router: 0, proxy: 0, runner: 0, host: 0 };
  for (let count = 0; count < kills; ) {
    await untilAtWork(platform, signal);
    await pause(random.between(killAfter.minMs, killAfter.maxMs), signal);
    signal.throwIfAborted();
    const victims = await system.processes();
    if (victims.length === 0) continue;
    const program = random.pick([...new Set(victims.map((victim) => victim.program))].sort());
    if (!kill(random.pick(victims.filter((victim) => victim.program === program)))) continue;
    killed[program] += 1;
    count += 1;
    if (count % 100 === 0) say(`${count} of ${kills} kills`);
  }
  return killed;
}

async function untilAtWork(platform: Platform, signal: AbortSignal): Promise<void> {
  const before = platform.sendCount();
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(killAfter.idleMs)]);
  await platform.until(() => platform.sendCount() > before, bounded).catch(() => undefined);
}

/** Everything said is answered and no row is open, or the time is over. */
async function untilQuiet(system: System, lanes: readonly KillLane[], options: KillOptions): Promise<void> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.quietMs)]);
  while (!signal.aborted) {
    if (await isQuiet(system, lanes, signal).catch(() => false)) return;
    await pause(lookEveryMs, signal);
  }
  options.signal.throwIfAborted();
  options.say(`not everything came to its end within ${options.quietMs / 1_000} s`);
}

async function isQuiet(system: System, lanes: readonly KillLane[], signal: AbortSignal): Promise<boolean> {
  await Promise.race([
    Promise.all(lanes.map((lane) => lane.taken())),
    new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true })),
  ]);
  const records = await Promise.all(lanes.map((lane) => lane.record(signal)));
  if (records.some((record) => answered(record) < record.said)) return false;
  for (const state of ["pending", "leased"] as const) {
    const { items } = await system.admin.listMessages({ state, limit: 1 }, { signal });
    if (items.length > 0) return false;
  }
  return true;
}

function resources(platform: Platform): object[] {
  const open = { defaults: { unknownSenders: "Public" }, senderRatePerMinute: 1_000_000 };
  const wiring = (name: string, wired: object) => ({
    ...{ kind: "Wiring", metadata: { name } },
    spec: { group: "helper", ...wired },
  });
  const channel = (name: string, wanted: object) => ({
    ...{ kind: "Channel", metadata: { name } },
    spec: { ...open, ...wanted },
  });
  return [
    { kind: "AgentGroup", metadata: { name: "helper" }, spec: { session: { idleAfter: "2s" } } },
    channel("test", { type: "test", config: platform.endpoint }),
    channel("terminal", { type: "terminal" }),
    wiring("direct", { channel: "test", conversation: { kind: "Direct" } }),
    wiring("threads", { channel: "test", conversation: { kind: "Group" }, sessionMode: "PerThread" }),
    wiring("terminal", { channel: "terminal", conversation: { kind: "Direct" } }),
  ];
}
