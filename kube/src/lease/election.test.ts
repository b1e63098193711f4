import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TestClock } from "../testing/clock.ts";
import { campaign } from "./election.ts";
import type { Leadership } from "./leadership.ts";
import { isEarlier } from "./lease-record.ts";
import type { ElectionTimes } from "./options.ts";
import { type Fault, LeaseServer } from "./testing/leases.ts";

const times: ElectionTimes = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 };
const lease = { namespace: "system", name: "the-lease" };

class Candidate {
  readonly client;
  readonly told: string[] = [];
  leadership: Leadership | undefined;
  wonAt: number | undefined;
  lostAt: number | undefined;
  readonly #stop = new AbortController();
  readonly #ran: Promise<void>;

  constructor(server: LeaseServer, clock: TestClock, candidate: string, random = () => 0) {
    this.client = server.client();
    const log = (_: object, message: string) => void this.told.push(message);
    const options = {
      client: this.client,
      lease,
      candidate,
      clock,
      random,
      times,
      log: { debug: log, info: log, warn: log },
      observer: {
        leading: (isLeading: boolean) => {
          if (isLeading) this.wonAt = clock.monotonic();
          else this.lostAt = clock.monotonic();
        },
        slowPath: () => void this.told.push("slow path"),
      },
    };
    this.#ran = campaign(options, this.#stop.signal).then(
      (leadership) => {
        this.leadership = leadership;
      },
      () => undefined,
    );
  }

  /** As an act would see it. */
  get leads(): boolean {
    try {
      this.leadership?.check();
      return this.leadership !== undefined;
    } catch {
      return false;
    }
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error("stopped"));
    await this.#ran;
    await this.leadership?.abandon();
  }
}

function start(count = 2) {
  const clock = new TestClock();
  const server = new LeaseServer(clock);
  const candidates = Array.from({ length: count }, (_, at) => new Candidate(server, clock, `candidate-${at}`));
  const [first, second] = candidates;
  assert.ok(first);
  const stop = async () => {
    for (const candidate of candidates) await candidate.stop();
    assert.equal(clock.timers, 0, "a timer outlives its election");
  };
  return { server, clock, first, second: second ?? first, stop };
}

describe("an election", () => {
  it("makes one of two candidates the leader, who renews for as long as it lives", async () => {
    const { clock, first, second, server, stop } = start();
    await clock.elapse(60_000, 100);
    assert.deepEqual([first.leads, second.leads], [true, false]);
    assert.equal(server.spec.holderIdentity, "candidate-0");
    assert.equal(server.spec.leaseDurationSeconds, 15);
    assert.ok(server.writes >= 29 && server.writes <= 31, `${server.writes} writes in a minute`);
    await stop();
  });

  it("writes times with six digits, as the API server wants them", async () => {
    const { clock, server, stop } = start();
    await clock.elapse(100);
    for (const time of [server.spec.acquireTime, server.spec.renewTime]) {
      assert.match(String(time), /^2030-01-01T00:00:00\.\d{6}Z$/);
    }
    await stop();
  });

  it("waits for the whole lease since the holder was last heard of here, whatever time the holder wrote", async () => {
    const { clock, first, second, server, stop } = start();
    await clock.elapse(5_000, 100);
    first.client.fault = "down";
    server.patch({}, { spec: { renewTime: "1970-01-01T00:00:00.000000Z" } });
    const lastChangeAt = clock.monotonic();
    await clock.elapse(60_000, 100);
    assert.ok(second.leads);
    const waited = (second.wonAt ?? 0) - lastChangeAt;
    assert.ok(waited >= times.leaseMs && waited <= times.leaseMs + 2 * times.retryMs, `waited ${waited} ms`);
    await stop();
  });

  for (const fault of ["down", "hangs", "mute"] as const) {
    it(`ends before another can begin when the holder's calls fail (${fault})`, async () => {
      const { clock, first, second, stop } = start();
      await clock.elapse(7_000, 100);
      first.client.fault = fault;
      await clock.elapse(120_000, 100);
      assert.ok(!first.leads);
      assert.ok(first.lostAt !== undefined && first.lostAt <= 7_000 + times.renewDeadlineMs);
      if (fault !== "mute") {
        assert.ok(second.leads && second.wonAt !== undefined);
        assert.ok(second.wonAt >= first.lostAt + (times.leaseMs - times.renewDeadlineMs), `${second.wonAt}`);
      }
      await stop();
    });
  }

  it("goes on after one renewal whose answer got lost", async () => {
    const { clock, first, stop } = start();
    await clock.elapse(5_000, 100);
    first.client.fault = "mute";
    await clock.elapse(2_000, 100);
    first.client.fault = "none";
    await clock.elapse(30_000, 100);
    assert.ok(first.leads);
    assert.ok(first.told.includes("slow path"));
    await stop();
  });

  it("does not lead by a claim whose answer got lost, and claims again with a later term", async () => {
    const clock = new TestClock();
    const server = new LeaseServer(clock);
    const candidate = new Candidate(server, clock, "alone");
    candidate.client.fault = "mute";
    await clock.elapse(1_000, 100);
    assert.equal(server.spec.holderIdentity, "alone");
    candidate.client.fault = "none";
    await clock.elapse(10_000, 100);
    assert.ok(!candidate.leads, "it can't know how long its claim counts");
    await clock.elapse(20_000, 100);
    assert.ok(candidate.leads);
    assert.equal(server.spec.leaseTransitions, 1);
    await candidate.stop();
  });

  it("ends at once for a holder that stood still, before any timer has fired", async () => {
    const { clock, first, stop } = start();
    await clock.elapse(5_000, 100);
    clock.standStill(times.renewDeadlineMs);
    assert.throws(() => first.leadership?.check(), { code: "superseded" });
    assert.ok(first.leadership?.signal.aborted);
    await stop();
  });

  it("does not care when the wall clock jumps", async () => {
    const { clock, first, second, stop } = start();
    await clock.elapse(5_000, 100);
    clock.jumpWall(48 * 60 * 60_000);
    await clock.elapse(30_000, 100);
    clock.jumpWall(-96 * 60 * 60_000);
    await clock.elapse(30_000, 100);
    assert.deepEqual([first.leads, second.leads, first.lostAt], [true, false, undefined]);
    await stop();
  });

  it("passes a released Lease on at the next try, and never back under the same term", async () => {
    const { clock, first, second, stop } = start();
    await clock.elapse(5_000, 100);
    await first.leadership?.release();
    assert.ok(!first.leads);
    await clock.elapse(2 * times.retryMs, 100);
    assert.ok(second.leads);
    assert.ok((second.leadership?.term ?? "") > (first.leadership?.term ?? "~"));
    await stop();
  });

  it("lets an abandoned Lease run out", async () => {
    const { clock, first, second, stop } = start();
    await clock.elapse(5_000, 100);
    await first.leadership?.abandon();
    await clock.elapse(times.leaseMs - times.retryMs, 100);
    assert.ok(!second.leads);
    await clock.elapse(3 * times.retryMs, 100);
    assert.ok(second.leads);
    await stop();
  });

  it("ends when somebody deletes the Lease, and nobody begins sooner than after a whole lease", async () => {
    const { clock, first, second, server, stop } = start();
    await clock.elapse(5_000, 100);
    const before = first.leadership?.term ?? "~";
    server.delete();
    const deletedAt = clock.monotonic();
    await clock.elapse(60_000, 100);
    assert.ok(!first.leads && second.leads);
    assert.ok((first.lostAt ?? Number.POSITIVE_INFINITY) <= deletedAt + times.retryMs);
    assert.ok((second.wonAt ?? 0) >= deletedAt + times.leaseMs - times.retryMs);
    assert.ok((second.leadership?.term ?? "") > before, "the count began anew, and the term grows all the same");
    await stop();
  });

  it("waits for a whole lease of its own when a person made that of the holder shorter", async () => {
    const { clock, first, second, server, stop } = start();
    await clock.elapse(5_000, 100);
    first.client.fault = "down";
    server.patch({}, { spec: { leaseDurationSeconds: 1 } });
    for (let passed = 0; passed < 30_000; passed += 100) {
      await clock.elapse(100, 100);
      assert.ok(!first.leads || !second.leads, `two lead after ${passed} ms`);
    }
    assert.ok(second.leads);
    await stop();
  });

  it("has another term when the Lease was deleted and made again within a second, and neither counts as the earlier", async () => {
    const clock = new TestClock();
    const server = new LeaseServer(clock);
    const first = new Candidate(server, clock, "first");
    await clock.elapse(100);
    server.delete();
    const second = new Candidate(server, clock, "second");
    await clock.elapse(100);
    const terms = [first, second].map(({ leadership }) => leadership?.term ?? "");
    assert.equal(terms[0]?.slice(0, 20), terms[1]?.slice(0, 20), "of the same second");
    assert.notEqual(terms[0], terms[1]);
    for (const [one = "", other = ""] of [terms, terms.toReversed()]) assert.ok(!isEarlier(one, other));
    await Promise.all([first.stop(), second.stop()]);
  });

  it("ends when another holder has written itself in", async () => {
    const { clock, first, server, stop } = start();
    await clock.elapse(5_000, 100);
    server.patch({}, { spec: { holderIdentity: "thief", leaseTransitions: 7 } });
    await clock.elapse(times.retryMs, 100);
    assert.ok(!first.leads);
    assert.match(String(first.leadership?.signal.reason), /thief holds it/);
    await stop();
  });

  it("takes two processes with the same name for two", async () => {
    const clock = new TestClock();
    const server = new LeaseServer(clock);
    const twins = [new Candidate(server, clock, "twin"), new Candidate(server, clock, "twin")];
    await clock.elapse(60_000, 100);
    assert.equal(twins.filter(({ leads }) => leads).length, 1);
    for (const twin of twins) await twin.stop();
  });

  it("confirms a leadership that counts, and ends one that does not", async () => {
    const { clock, first, server, stop } = start();
    await clock.elapse(5_000, 100);
    const writes = server.writes;
    await first.leadership?.confirm();
    assert.equal(server.writes, writes + 1);
    server.patch({}, { spec: { holderIdentity: "other", leaseTransitions: 9 } });
    await assert.rejects(async () => await first.leadership?.confirm(), { code: "superseded" });
    await stop();
  });

  it("refuses times by which two could lead at once", async () => {
    const clock = new TestClock();
    const options = {
      ...{ client: new LeaseServer(clock).client(), lease, candidate: "a", clock, random: Math.random },
      log: { debug: () => {}, info: () => {}, warn: () => {} },
    };
    for (const wrong of [{ renewDeadlineMs: 15_000 }, { retryMs: 9_000 }]) {
      const refused = campaign({ ...options, times: { ...times, ...wrong } }, new AbortController().signal);
      await assert.rejects(refused, { code: "invalid" });
    }
  });

  it("never has two leaders, and has one again when all is well, whatever fails when", async () => {
    const fault = fc.constantFrom<Fault>("none", "none", "down", "mute", "hangs");
    const step = fc.tuple(fc.nat({ max: 2 }), fault, fc.integer({ min: 1, max: 12 }));
    const dice = fc.infiniteStream(fc.double({ min: 0, max: 0.99, noNaN: true }));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 20 }), dice, async (steps, drawn) => {
        const contest = new Contest(() => drawn.next().value ?? 0);
        for (const [at, kind, seconds] of steps) await contest.suffer(at, kind, seconds);
        await contest.recover();
      }),
      { numRuns: 60 },
    );
  });
});

const checkEveryMs = 500;

/** Three candidates whose calls fail now and then. */
class Contest {
  readonly #clock = new TestClock();
  readonly #server = new LeaseServer(this.#clock);
  readonly #random: () => number;
  readonly #candidates: Candidate[];

  constructor(random: () => number) {
    this.#random = random;
    this.#candidates = ["a", "b", "c"].map((name) => this.#enter(name));
  }

  async suffer(at: number, fault: Fault, seconds: number): Promise<void> {
    const candidate = this.#candidates[at];
    if (candidate) candidate.client.fault = fault;
    for (let ms = 0; ms < seconds * 1_000; ms += checkEveryMs) {
      await this.#clock.elapse(checkEveryMs, checkEveryMs);
      assert.ok(this.#leaders() <= 1, "two lead");
    }
  }

  async recover(): Promise<void> {
    for (const candidate of this.#candidates) candidate.client.fault = "none";
    // Calls that hang come to their end, and so does a leadership that can't be renewed in time.
    await this.#clock.elapse(times.leaseMs, checkEveryMs);
    const over = this.#candidates.filter(({ leadership }) => leadership?.signal.aborted);
    for (const candidate of over) this.#candidates.push(this.#enter(`after-${candidate.leadership?.term}`));
    await this.#clock.elapse(3 * times.leaseMs, checkEveryMs);
    assert.equal(this.#leaders(), 1);
    for (const candidate of this.#candidates) await candidate.stop();
  }

  #enter(name: string): Candidate {
    return new Candidate(this.#server, this.#clock, name, this.#random);
  }

  #leaders(): number {
    return this.#candidates.filter(({ leads }) => leads).length;
  }
}
