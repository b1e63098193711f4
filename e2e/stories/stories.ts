import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { StartSystem, StorySystem } from "../support/story-system.ts";
import { terminalResources } from "../support/system.ts";
import { until } from "../support/until.ts";

/** Long enough to interfere with, short enough to wait for. */
export const someTurn = "wait 2";

const phaseOf = async (system: StorySystem, session: string) =>
  (await system.sessions()).find(({ name }) => name === session)?.phase;

export const answering = async (system: StorySystem, session: string) =>
  await until("the turn runs", async () => (await system.messages(session, "leased")).length > 0);

/** What holds of one system of processes and of a cluster. */
export function tellStories(start: StartSystem): void {
  tellWay(start);
  tellSurvival(start);
  tellFailures(start);
}

function tellWay(start: StartSystem): void {
  describe("one message, all the way", () => {
    it("is answered, and two sessions work at once", async () => {
      await using system = await start(terminalResources());
      assert.match(await system.ask("main", "hello"), /hello/);
      const slow = await system.say("one", "wait 5");
      await answering(system, slow.session);
      assert.match(await system.ask("two", "quick"), /quick/);
      assert.deepEqual(await system.lines("one"), [], "the slow one is still at work");
      assert.equal((await system.answerTo("one", slow.id)).length, 1);
    });

    it("takes a follow-up into the running turn", async () => {
      await using system = await start(terminalResources());
      const first = await system.say("main", someTurn);
      await answering(system, first.session);
      const second = await system.say("main", "and this too");
      await system.answerTo("main", second.id);
      const texts = (await system.lines("main")).map(({ text }) => text);
      assert.equal(texts.filter((text) => text.includes("and this too")).length, 1);
      const rows = await system.messages(first.session, "done");
      assert.equal(rows.length, 2);
    });

    it("puts an idle session to sleep, and wakes it with its memory", async () => {
      await using system = await start(terminalResources({ idleAfter: "1s" }));
      const { id, session } = await system.say("main", "remember the tide is high");
      await system.answerTo("main", id);
      await until("the session sleeps", async () => (await phaseOf(system, session)) === "Asleep");
      await until("its pod is gone", async () => !(await system.hasPod()));
      assert.match(await system.ask("main", "recall"), /the tide is high/);
    });

    it("stops a turn, and goes on with the next message", async () => {
      await using system = await start(terminalResources());
      const { id, session } = await system.say("main", "wait 50");
      await answering(system, session);
      assert.deepEqual(await system.stop("main"), { stopping: true });
      await system.answerTo("main", id);
      assert.match(await system.ask("main", "still there?"), /still there\?/);
      assert.deepEqual(await system.stop("main"), { stopping: false });
    });
  });
}

function tellSurvival(start: StartSystem): void {
  describe("a turn survives", () => {
    for (const program of ["router", "proxy", "runner"] as const) {
      it(`kill -9 of the ${program}: one answer, nothing lost`, async () => {
        await using system = await start(terminalResources());
        const { id, session } = await system.say("main", someTurn);
        await answering(system, session);
        assert.equal(await system.kill(program), 1);
        assert.equal((await system.answerTo("main", id)).length, 1);
        assert.match(await system.ask("main", "and now?"), /and now\?/);
      });
    }

    it("a clean restart of the whole system", async () => {
      await using system = await start(terminalResources());
      const { id, session } = await system.say("main", someTurn);
      await answering(system, session);
      await system.restart();
      assert.equal((await system.answerTo("main", id)).length, 1);
    });
  });
}

function tellFailures(start: StartSystem): void {
  describe("nothing fails silently", () => {
    it("tells the person of a dead letter, lists it, and brings it back", async () => {
      await using system = await start(terminalResources());
      const { id, session } = await system.say("main", "fail permanent");
      await system.answerTo("main", id);
      const told = await until("the person is told", async () =>
        (await system.lines("main")).find(({ from }) => from === "system"),
      );
      assert.match(told.text, /\w/);
      const [dead] = await system.messages(session, "dead");
      assert.equal(dead?.code, "providerFailed");
      const row = await system.retry(dead?.id ?? "");
      assert.equal(row.state, "pending");
      await until("it fails again", async () => (await system.lines("main")).length === 2);
    });

    it("tries a transient failure again and tells after the last attempt", async () => {
      await using system = await start(terminalResources());
      const { session } = await system.say("main", "fail transient");
      const row = await until("the row is given up", async () => (await system.messages(session, "dead"))[0], 120_000);
      assert.deepEqual([row.code, row.attempt], ["attemptsExhausted", 5]);
      assert.equal((await system.lines("main")).filter(({ from }) => from === "system").length, 1);
    });

    it("tells the place in line when all sessions of the group are taken", async () => {
      await using system = await start(terminalResources({ maxRunning: 1, idleAfter: "1s" }));
      const first = await system.say("one", someTurn);
      await answering(system, first.session);
      const second = await system.say("two", "me too");
      const told = await until("the place in line", async () =>
        (await system.lines("two")).find(({ from }) => from === "system"),
      );
      assert.match(told.text, /number 1 in line/);
      assert.match((await system.answerTo("two", second.id)).join(), /me too/);
    });

    it("gives the place of a session that has nothing to do to one that has", async () => {
      await using system = await start(terminalResources({ maxRunning: 1 }));
      const first = await system.say("one", "hello");
      await system.answerTo("one", first.id);
      assert.match(await system.ask("two", "me too"), /me too/);
      assert.deepEqual(
        (await system.lines("two")).map(({ from }) => from),
        ["agent"],
      );
      await until("the first sleeps", async () => (await phaseOf(system, first.session)) === "Asleep");
      assert.match(await system.ask("one", "me again"), /me again/);
    });

    it("never logs what people say", async () => {
      await using system = await start(terminalResources());
      await system.ask("main", "a very private sentence");
      await system.kill("router");
      await system.ask("main", "another private sentence");
      assert.doesNotMatch(await system.logs(), /private sentence/);
    });
  });
}
