import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isAlive } from "./support/processes.ts";
import { System, terminalResources } from "./support/system.ts";
import { until } from "./support/until.ts";

/** Long enough to interfere with, short enough to wait for. */
const someTurn = "wait 2";

const phaseOf = async (system: System, session: string) =>
  (await system.admin.listSessions({})).items.find(({ name }) => name === session)?.phase;

const answering = async (system: System, session: string) =>
  await until("the turn runs", async () => {
    const { items } = await system.admin.listMessages({ session, state: "leased" });
    return items.length > 0;
  });

describe("one message, all the way", () => {
  it("is answered, and two sessions work at once", async () => {
    await using system = await System.start(terminalResources());
    assert.match(await system.ask("main", "hello"), /hello/);
    const slow = await system.say("one", "wait 5");
    await answering(system, slow.session);
    assert.match(await system.ask("two", "quick"), /quick/);
    assert.deepEqual(await system.lines("one"), [], "the slow one is still at work");
    assert.equal((await system.answerTo("one", slow.id)).length, 1);
  });

  it("takes a follow-up into the running turn", async () => {
    await using system = await System.start(terminalResources());
    const first = await system.say("main", someTurn);
    await answering(system, first.session);
    const second = await system.say("main", "and this too");
    await system.answerTo("main", second.id);
    const texts = (await system.lines("main")).map(({ text }) => text);
    assert.equal(texts.filter((text) => text.includes("and this too")).length, 1);
    const rows = (await system.admin.listMessages({ session: first.session, state: "done" })).items;
    assert.equal(rows.length, 2);
  });

  it("puts an idle session to sleep, and wakes it with its memory", async () => {
    await using system = await System.start(terminalResources({ idleAfter: "1s" }));
    const { id, session } = await system.say("main", "remember the tide is high");
    await system.answerTo("main", id);
    await until("the session sleeps", async () => (await phaseOf(system, session)) === "Asleep");
    await until("its processes are gone", async () =>
      (await system.processes()).every(({ program }) => program !== "runner"),
    );
    assert.match(await system.ask("main", "recall"), /the tide is high/);
  });

  it("stops a turn, and goes on with the next message", async () => {
    await using system = await System.start(terminalResources());
    const { id, session } = await system.say("main", "wait 50");
    await answering(system, session);
    assert.deepEqual(await system.admin.stop({ conversation: "main", sender: "ann" }), { stopping: true });
    await system.answerTo("main", id);
    assert.match(await system.ask("main", "still there?"), /still there\?/);
    assert.deepEqual(await system.admin.stop({ conversation: "main", sender: "ann" }), { stopping: false });
  });
});

describe("a turn survives", () => {
  for (const program of ["router", "proxy", "runner"] as const) {
    it(`kill -9 of the ${program}: one answer, nothing lost`, async () => {
      await using system = await System.start(terminalResources());
      const { id, session } = await system.say("main", someTurn);
      await answering(system, session);
      assert.equal(await system.kill(program), 1);
      assert.equal((await system.answerTo("main", id)).length, 1);
      assert.match(await system.ask("main", "and now?"), /and now\?/);
    });
  }

  it("kill -9 of the supervisor: its children end, and the next start answers", async () => {
    await using system = await System.start(terminalResources());
    const { id, session } = await system.say("main", someTurn);
    await answering(system, session);
    const children = await system.processes();
    assert.ok(children.length >= 3);
    await system.end("SIGKILL");
    for (const { pid } of children) await until("a child is gone", async () => !(await isAlive(pid)));
    await system.up();
    assert.equal((await system.answerTo("main", id)).length, 1);
  });

  it("a clean restart of the whole system", async () => {
    await using system = await System.start(terminalResources());
    const { id, session } = await system.say("main", someTurn);
    await answering(system, session);
    await system.end("SIGTERM");
    await system.up();
    assert.equal((await system.answerTo("main", id)).length, 1);
  });
});

describe("nothing fails silently", () => {
  it("tells the person of a dead letter, lists it, and brings it back", async () => {
    await using system = await System.start(terminalResources());
    const { id, session } = await system.say("main", "fail permanent");
    await system.answerTo("main", id);
    const told = await until("the person is told", async () =>
      (await system.lines("main")).find(({ from }) => from === "system"),
    );
    assert.match(told.text, /\w/);
    const [dead] = (await system.admin.listMessages({ session, state: "dead" })).items;
    assert.equal(dead?.code, "providerFailed");
    const { item } = await system.admin.retry({ id: dead?.id ?? "" });
    assert.equal(item.state, "pending");
    await until("it fails again", async () => (await system.lines("main")).length === 2);
  });

  it("tries a transient failure again and tells after the last attempt", async () => {
    await using system = await System.start(terminalResources());
    const { session } = await system.say("main", "fail transient");
    const row = await until(
      "the row is given up",
      async () => (await system.admin.listMessages({ session, state: "dead" })).items[0],
      120_000,
    );
    assert.deepEqual([row.code, row.attempt], ["attemptsExhausted", 5]);
    assert.equal((await system.lines("main")).filter(({ from }) => from === "system").length, 1);
  });

  it("tells the place in line when all sessions of the group are taken", async () => {
    await using system = await System.start(terminalResources({ maxRunning: 1, idleAfter: "1s" }));
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
    await using system = await System.start(terminalResources({ maxRunning: 1 }));
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

  it("answers an unknown agent group with a code, and refuses nobody silently", async () => {
    await using system = await System.start(terminalResources());
    const say = { conversation: "x", group: "nobody", sender: "ann", text: "hi", dedupeKey: "1" };
    await assert.rejects(system.admin.say(say), { code: "groupMissing" });
    const rows = (await system.admin.listMessages({ state: "dead" })).items;
    assert.deepEqual(
      rows.map(({ code, text }) => [code, text]),
      [["groupMissing", ""]],
    );
  });
});

describe("a running system", () => {
  it("keeps the last good state of a broken resource file, names the line, and recovers", async () => {
    await using system = await System.start(terminalResources());
    await system.writeFile(
      "0.yaml",
      "apiVersion: copepod.dev/v1alpha1\nkind: AgentGroup\nmetadata: {name: helper}\nspec:\n  instrutions: x\n",
    );
    const [problem] = await until("the problem is known", async () => {
      const { problems } = await system.admin.status({});
      return problems.length > 0 && problems;
    });
    assert.equal(problem?.line, 5);
    assert.match(`${problem?.path} ${problem?.reason}`, /instrutions unknown field/);
    assert.match(await system.ask("main", "still good?"), /still good\?/);
    await system.writeResource("0.yaml", { kind: "AgentGroup", metadata: { name: "helper" }, spec: {} });
    await until("the problem is gone", async () => (await system.admin.status({})).problems.length === 0);
  });

  it("never logs what people say", async () => {
    await using system = await System.start(terminalResources());
    await system.ask("main", "a very private sentence");
    await system.kill("router");
    await system.ask("main", "another private sentence");
    assert.doesNotMatch(await system.logs(), /private sentence/);
  });

  it("serves health and metrics", async () => {
    await using system = await System.start(terminalResources());
    await system.ask("main", "hello");
    const { Agent, fetch } = await import("undici");
    const dispatcher = new Agent({ connect: { socketPath: `${system.home}/run/admin.sock` } });
    const metrics = await (await fetch("http://admin/metrics", { dispatcher })).text();
    assert.match(metrics, /copepod_queue_rows\{direction="in",state="done"\} 1/);
    assert.equal((await fetch("http://admin/readyz", { dispatcher })).status, 200);
    await dispatcher.destroy();
  });
});
