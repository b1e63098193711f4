import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { apiVersion } from "@copepod/crds/definition";
import { controlPlaneGate } from "../support/control-plane.ts";
import { until } from "../support/until.ts";
import { awake, group, helloOf, namespace, type Pod, RouterWorld, sessionPath } from "./support/router-world.ts";

describe("the router on a real API server", { skip: await controlPlaneGate() }, () => {
  let world: RouterWorld;

  before(async () => {
    world = await RouterWorld.start({ idleAfter: "1s" });
  });

  after(async () => await world[Symbol.asyncDispose]());

  const take = async ({ mailbox, instance }: Pod, held: number[] = []) =>
    await mailbox.take({ instance, held, limit: 10, waitMs: 0 });

  /** Takes what waits and answers it. @returns the texts */
  async function answer(pod: Pod, text: string): Promise<string[]> {
    const { messages } = await until("rows", async () => {
      const taken = await take(pod);
      return taken.messages.length > 0 && taken;
    });
    const consumed = messages.map(({ seq }) => seq);
    const [turn = 0] = consumed;
    const to = messages[0]?.from ?? "";
    await pod.mailbox.finish({ instance: pod.instance, turn, consumed, messages: [{ to, text }] });
    return messages.map(({ body }) => ("text" in body ? body.text : ""));
  }

  const heard = async (conversation: string) =>
    (await world.chat.lines(conversation)).filter(({ from }) => from !== "person").map(({ text }) => text);

  const hears = async (conversation: string, text: RegExp) =>
    await until(`${conversation} hears ${text}`, async () =>
      (await heard(conversation)).some((line) => text.test(line)),
    );

  it("makes the Session of a first message, takes the pod that its status names, and lets it sleep", async () => {
    const { id, session } = await world.chat.say("first", "hello");
    const { spec } = await world.wished(session, true, 1);
    assert.equal(spec.group, group);
    assert.deepEqual(Object.keys(spec.key).sort(), ["conversation", "kind"]);
    const pod = await world.makePod(session, 1);
    await assert.rejects(pod.mailbox.hello(pod), { code: "podUnknown" });
    await world.say(session, awake(1, pod));
    await until("hello", () => helloOf(pod));
    assert.deepEqual(await answer(pod, "good day"), ["hello"]);
    assert.deepEqual(await world.chat.answerTo("first", id), ["good day"]);
    await world.wished(session, false, 1);
    await until("people see when it was active", async () => (await world.session(session))?.status.lastActiveAt);
    assert.deepEqual((await world.writesOf(session)).sort(), ["create", "patch", "patch status"]);
    assert.match(await world.metrics(), /^copepod_wakes_total\{outcome="woken"\} 1$/m);
  });

  it("wakes one session once for fifty who call at the same time, and by one write", async () => {
    const { session } = await world.chat.say("herd", "first");
    await answer(await world.wake(session, 1), "ok");
    await world.wished(session, false, 1);
    const before = await world.writesOf(session);
    await Promise.all(Array.from({ length: 50 }, (_, at) => world.chat.say("herd", `call ${at}`)));
    const pod = await world.wake(session, 2);
    const texts = [...(await answer(pod, "all")), ...(await rest(pod))];
    assert.equal(texts.length, 50);
    const writes = (await world.writesOf(session)).slice(before.length);
    assert.deepEqual(
      writes.filter((write) => write === "patch" || write === "create"),
      ["patch"],
    );
  });

  async function rest(pod: Pod): Promise<string[]> {
    const texts: string[] = [];
    for (let left = true; left; ) {
      left = (await world.admin.listSessions({ namespace, limit: 100 })).items.some(
        ({ name, pending }) => pod.name.startsWith(name) && pending > 0,
      );
      if (left) texts.push(...(await answer(pod, "more")));
    }
    return texts;
  }

  it("refuses tokens of other service accounts and audiences, and pods of other UIDs", async () => {
    const { session } = await world.chat.say("tokens", "hello");
    await world.wished(session, true, 1);
    const foreign = await world.makePod(session, 1, "copepod-group-another");
    await assert.rejects(foreign.mailbox.hello(foreign), { code: "unauthorized" });
    await world.removePod(foreign);
    const planted = await world.makePod(session, 1);
    await assert.rejects(planted.mailbox.hello(planted), { code: "podUnknown" });
    await world.removePod(planted);
    const pod = await world.wake(session, 1);
    await assert.rejects(planted.mailbox.hello(planted), { code: "podUnknown" });
    await assert.rejects(planted.mailbox.context({}), { code: "podUnknown" }, "nor is it told anything");
    assert.equal((await pod.mailbox.context({})).group, group);
    await answer(pod, "ok");
  });

  it("makes a wanted Session anew that somebody deletes, and puts one to sleep that a late write wakes", async () => {
    const { session } = await world.chat.say("zombie", "hello");
    const first = await world.wished(session, true, 1);
    const { name } = first.metadata;
    const kind = { apiVersion, kind: "Session" };
    await world.plane.call("DELETE", sessionPath(name));
    const second = await until("another Session", async () => {
      const found = await world.session(session);
      return found?.metadata.uid !== first.metadata.uid && found;
    });
    assert.deepEqual(second.spec, first.spec);
    await answer(await world.wake(session, 1), "ok");
    await world.wished(session, false, 1);
    await world.plane.call("DELETE", sessionPath(name));
    await until("no Session", async () => (await world.session(session)) === undefined);
    const late = { ...kind, ...first, metadata: { namespace, name } };
    assert.equal((await world.plane.call("POST", sessionPath("").slice(0, -1), late)).status, 201);
    await world.wished(session, false, 1);
    await world.chat.say("zombie", "again");
    await answer(await world.wake(session, 2), "ok");
  });

  it("replaces a pod after its turn when the operator asks for it, and lets the next pod answer", async () => {
    const { session } = await world.chat.say("drain", "one");
    const old = await world.wake(session, 1);
    const taken = await take(old);
    assert.equal(taken.drain, false);
    await world.say(session, { drainRequested: { epoch: 1, reason: "The image has changed." } });
    await until("the runner is told", async () => (await take(old, [1])).drain);
    await world.chat.say("drain", "two");
    assert.deepEqual((await take(old, [1])).messages, [], "nothing new");
    assert.equal((await world.session(session))?.spec.wake.epoch, 1, "the turn runs on");
    const to = taken.messages[0]?.from ?? "";
    await old.mailbox.finish({ instance: old.instance, turn: 1, consumed: [1], messages: [{ to, text: "done" }] });
    await old.mailbox.take({ instance: old.instance, held: [], limit: 1, waitMs: 0 }).catch(() => {});
    await world.removePod(old);
    assert.deepEqual(await answer(await world.wake(session, 2), "next"), ["two"]);
    assert.deepEqual(await heard("drain"), ["done", "next"]);
  });

  it("believes nobody but the pod of its host what is said in a channel, and no host of the terminal", async () => {
    const [terminal, nowhere, gone] = await Promise.all([
      world.makeHost("terminal", "pod"),
      world.makeHost("nowhere", "nowhere"),
      world.makeHost("gone", "pod"),
    ]);
    const events = { instance: "some host", events: [], unreadable: [] };
    await assert.rejects(terminal.accept(events), { code: "unauthorized" });
    await assert.rejects(nowhere.accept(events), { code: "unauthorized" });
    await assert.rejects(gone.accept(events), { code: "notFound" }, "its token is good");
  });

  it("tells why a session does not start, and says it where people look", async () => {
    const { session } = await world.chat.say("trouble", "hello");
    await world.wished(session, true, 1);
    const ready = (reason: string, message: string) => ({
      conditions: [
        {
          type: "Ready",
          status: "False",
          reason,
          message,
          lastTransitionTime: `${new Date().toISOString().slice(0, 19)}Z`,
        },
      ],
    });
    await world.say(session, { phase: "Waking", epoch: 1, ...ready("Starting", "The pod starts.") });
    await world.say(session, { phase: "Waking", epoch: 1, ...ready("NodeFull", "The node has no room.") });
    await hears("trouble", /can't start yet.*The node has no room\./);
    await until(
      "the reason is shown",
      async () => (await world.session(session))?.status.reason === "The node has no room.",
    );
    await world.say(session, { phase: "Failed", epoch: 1, ...ready("QuotaExceeded", "The quota is used up.") });
    await hears("trouble", /could not be started.*The quota is used up\./);
    await world.wished(session, false, 1);
    assert.equal((await heard("trouble")).length, 2);
  });

  it("lets rows of a paused agent group wait, says so once, and goes on by itself", async () => {
    const path = `/apis/copepod.dev/v1alpha1/namespaces/${namespace}/agentgroups/${group}`;
    const pause = async (suspended: boolean) => {
      const { body } = await world.plane.call("GET", path);
      assert.ok(body instanceof Object && "spec" in body && body.spec instanceof Object);
      const answered = await world.plane.call("PUT", path, { ...body, spec: { ...body.spec, suspended } });
      assert.equal(answered.status, 200);
    };
    await pause(true);
    await until("the pause counts", async () => {
      await world.chat.say("paused", "hello?");
      return (await heard("paused")).length > 0;
    });
    const { session } = await world.chat.say("paused", "anybody?");
    assert.deepEqual(await heard("paused"), [
      "This agent is paused. Your message waits, and is answered when somebody resumes it.",
    ]);
    const asleep = await world.session(session);
    assert.notEqual(asleep?.spec.wake.wanted, true);
    await pause(false);
    const texts = await answer(await world.wake(session, (asleep?.spec.wake.epoch ?? 0) + 1), "here");
    assert.equal(texts.at(-1), "anybody?");
  });

  it("goes on after a kill in the middle of a wake, and says what it was before", async () => {
    const { id, session } = await world.chat.say("killed", "hello");
    await world.down("SIGKILL");
    await world.up();
    const pod = await world.wake(session, 1);
    assert.deepEqual(await answer(pod, "still here"), ["hello"]);
    assert.deepEqual(await world.chat.answerTo("killed", id), ["still here"]);
    assert.match(world.said, /"ms":\d+,.*router is ready/);
  });

  it("never goes back in epochs with a queue that was restored from a backup", async () => {
    const { session } = await world.chat.say("restored", "one");
    await answer(await world.wake(session, 1), "ok");
    await world.wished(session, false, 1);
    const backup = join(world.home, "backup.db");
    await world.admin.backup({ path: backup });
    await world.chat.say("restored", "more");
    await answer(await world.wake(session, 2), "ok");
    await world.wished(session, false, 2);
    assert.equal(await world.down("SIGTERM"), 0);
    await copyFile(backup, join(world.home, "queue.db"));
    await world.up();
    await world.chat.say("restored", "after");
    const { spec } = await until("a wake", async () => {
      const found = await world.session(session);
      return found?.spec.wake.wanted && found;
    });
    assert.equal(spec.wake.epoch, 3, "a pod of the lost time takes no rows");
    assert.deepEqual(await answer(await world.wake(session, spec.wake.epoch), "ok"), ["after"]);
  });

  it("refuses to open the queue twice, and ends in good order", async () => {
    const second = world.spawn();
    const [code] = await once(second, "exit");
    assert.equal(code, 1);
    assert.match(world.said, /databaseHeld/);
    assert.equal(await world.down("SIGTERM"), 0);
  });

  it("is alive without an API server, says what it waits for, and ends in good order", async () => {
    await world.plane.stopApiServer("SIGKILL");
    const child = world.spawn();
    const exit = once(child, "exit");
    const reason = await until("a reason", async () => {
      const answer = await world.health("readyz").catch(() => undefined);
      return answer?.status === 503 && (await answer.text());
    });
    assert.match(String(reason), /the first list of .* is not complete/);
    assert.equal((await world.health("livez")).status, 200);
    child.kill("SIGTERM");
    assert.deepEqual(await exit, [0, null]);
  });
});
