import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SessionWish } from "../../queue/queue-store.ts";
import { sessionSeenOf } from "./session-seen.ts";
import { SessionsWorld } from "./testing.ts";

const key = "agents/s";
const wish = (wanted: boolean, epoch: number): SessionWish => ({
  session: key,
  group: "agents/helper",
  key: { kind: "Conversation", conversation: "c", thread: undefined },
  wanted,
  epoch,
});

async function start(wanted = true, epoch = 1) {
  const world = new SessionsWorld();
  await world.sessions.put(wish(wanted, epoch));
  world.watch();
  world.calls.length = 0;
  return world;
}

const specOf = (world: SessionsWorld) => world.objects.get(key)?.spec;
const wakeOf = (world: SessionsWorld) => {
  const object = world.objects.get(key);
  return object && sessionSeenOf(object).wake;
};

describe("the wish in a Session object", () => {
  it("makes the object that is missing, with its key", async () => {
    const world = new SessionsWorld();
    assert.equal(await world.sessions.put(wish(true, 1)), 1);
    assert.deepEqual(specOf(world), {
      group: "helper",
      key: { kind: "Conversation", conversation: "c" },
      wake: { wanted: true, epoch: 1 },
    });
  });

  it("makes none for a session that is to sleep", async () => {
    const world = new SessionsWorld();
    await world.sessions.put(wish(false, 1));
    await world.sessions.dismiss(key);
    assert.deepEqual(world.calls, []);
  });

  it("is one patch, and none when it stands there, also before the watch has told so", async () => {
    const world = await start();
    for (let time = 0; time < 2; time++) await world.sessions.put(wish(false, 1));
    world.watch();
    await world.sessions.put(wish(false, 1));
    assert.deepEqual(world.calls, [`patch ${key}`]);
  });

  it("stands behind what the watch has told of later before the answer came", async () => {
    const world = await start();
    const { mergePatch } = world;
    Object.assign(world, {
      mergePatch: async (...args: Parameters<typeof mergePatch>) => {
        const answer = await mergePatch(...args);
        world.meddle(key, { status: { phase: "Waking", epoch: 2, podUid: "uid" } });
        world.watch();
        return answer;
      },
    });
    await world.sessions.put(wish(true, 2));
    assert.equal(world.sessions.get(key)?.observed.podUid, "uid");
    assert.equal([...world.sessions.values()][0]?.observed.podUid, "uid");
  });

  const races = [
    {
      what: "somebody else wrote",
      meddle: (world: SessionsWorld) => world.meddle(key, { status: { phase: "Awake" } }),
      calls: [`patch ${key}`, `get ${key}`, `patch ${key}`],
    },
    {
      what: "the object is gone",
      meddle: (world: SessionsWorld) => world.objects.delete(key),
      calls: [`patch ${key}`, `get ${key}`, `create ${key}`],
    },
    {
      what: "another object has its name",
      meddle: (world: SessionsWorld) => world.meddle(key, { metadata: { uid: "another" } }),
      calls: [`patch ${key}`, `get ${key}`, `patch ${key}`],
    },
  ];
  for (const { what, meddle, calls } of races) {
    it(`is decided anew when ${what}`, async () => {
      const world = await start();
      meddle(world);
      assert.equal(await world.sessions.put(wish(true, 2)), 2);
      assert.deepEqual(world.calls, calls);
      assert.deepEqual(wakeOf(world), { wanted: true, epoch: 2 });
    });
  }

  it("meets an object that somebody else made", async () => {
    const world = await start();
    const late = new SessionsWorld();
    for (const [name, object] of world.objects) late.objects.set(name, object);
    await late.sessions.put(wish(true, 2));
    assert.deepEqual(late.calls, [`create ${key}`, `get ${key}`, `patch ${key}`]);
  });

  it("writes nothing over a greater epoch, and says which", async () => {
    const world = await start(true, 7);
    assert.equal(await world.sessions.put(wish(true, 2)), 7);
    assert.deepEqual(world.calls, []);
  });

  it("gives up for now when others are faster each time", async () => {
    const world = await start();
    const { get } = world;
    Object.assign(world, {
      get: async (...args: Parameters<typeof get>) => {
        const object = await get(...args);
        world.meddle(key, { status: { phase: "Awake" } });
        return object;
      },
    });
    world.meddle(key, { status: { phase: "Awake" } });
    await assert.rejects(world.sessions.put(wish(true, 2)), { code: "conflict" });
  });

  it("of a session that the queue does not know is to sleep, with the epoch that it has", async () => {
    const world = await start(true, 4);
    await world.sessions.dismiss(key);
    assert.deepEqual(wakeOf(world), { wanted: false, epoch: 4 });
  });
});
