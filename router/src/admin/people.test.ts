import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type AdminClient, adminApi } from "@copepod/core/admin-api";
import { createClient } from "@copepod/core/endpoint";
import { CopepodError } from "@copepod/core/errors";
import { pino } from "pino";
import { ChannelHealthBook } from "../channel/channel-health.ts";
import { Announcer } from "../http/announcer.ts";
import { Doorbell } from "../http/doorbell.ts";
import { buildListener } from "../http/listener.ts";
import { Directory } from "../inbound/directory.ts";
import { Inbound } from "../inbound/inbound.ts";
import { RateLimiter } from "../inbound/rate-limiter.ts";
import { Reminders } from "../inbound/reminders.ts";
import { RouterMetrics } from "../metrics.ts";
import { openSqliteQueue } from "../queue/sqlite/open-sqlite-queue.ts";
import { buildResources } from "../resources/testing.ts";
import { Activities } from "../sessions/activities.ts";
import { GroupLimits } from "../sessions/group-limits.ts";
import { createAdminHandlers } from "./admin-handlers.ts";
import { maySeeFile, uploaderOf } from "./own.ts";
import { owner, type Person, personOf } from "./person.ts";

const log = pino({ level: "silent" });
const clock = { now: () => 1_000, monotonic: () => 0 };

const inNamespace = (namespace: string) => [
  { kind: "AgentGroup", metadata: { name: "helper", namespace }, spec: { credentials: ["missing"] } },
  {
    kind: "Channel",
    metadata: { name: "terminal", namespace },
    spec: { type: "terminal", defaults: { unknownSenders: "Public" } },
  },
  {
    kind: "Wiring",
    metadata: { name: "w", namespace },
    spec: { channel: "terminal", conversation: { kind: "Direct" }, group: "helper", senders: "Known" },
  },
];
const user = (name: string, role: object) => ({
  kind: "User",
  metadata: { name, namespace: "agents" },
  spec: { identities: [`terminal:system:serviceaccount:agents:${name}`], roles: [role] },
});
const [group, terminal, wiring] = inNamespace("shared");
const shared = { channel: "terminal", conversation: { kind: "Direct" }, group: "helper", sessionMode: "AgentShared" };
const resources = buildResources([
  ...[{ ...group }, { ...terminal }, { ...wiring, spec: { ...shared, senders: "All" } }],
  ...["agents", "others"].flatMap(inNamespace),
  { kind: "Channel", metadata: { name: "aaa", namespace: "agents" }, spec: { type: "terminal" } },
  user("ada", { role: "Member" }),
  user("bob", { role: "Member", group: "helper" }),
  user("owen", { role: "Owner" }),
  user("gina", { role: "Admin", group: "helper" }),
]);

const admins = new Set(["system:serviceaccount:copepod:copepod-admin"]);
const named = (username: string) => personOf({ username }, admins);
const account = (name: string) => named(`system:serviceaccount:agents:${name}`);
const people = new Map<string | undefined, Person>([
  ...["ada", "bob", "eve", "owen", "gina"].map((name) => [name, account(name)] as const),
  ["admin", named("system:serviceaccount:copepod:copepod-admin")],
  ["slash", named("x/y")],
  ["plain", named("x")],
  ["owner", owner],
]);
const personOfToken = (bearer: string | undefined): Person => people.get(bearer) ?? assert.fail(`who is ${bearer}?`);

type Say = Parameters<AdminClient["say"]>[0];

/** The whole admin API on a real queue; a token is a name of the people above. */
async function start(namespaces: readonly string[] | undefined = ["agents", "others", "shared"]) {
  const folder = await mkdtemp(join(tmpdir(), "copepod-people-"));
  const store = await openSqliteQueue({ path: join(folder, "queue.db"), clock, log, thread: "inline" });
  const doorbell = new Doorbell();
  const applied = { result: "unchanged", kind: "User", name: "x" } as const;
  const held = { current: () => resources, problems: () => [], onChange: () => () => {}, apply: async () => applied };
  const shared = {
    store,
    resources: { ...held, [Symbol.asyncDispose]: async () => {} },
    directory: new Directory(store, clock.monotonic),
    limits: new GroupLimits(held),
    wishes: { poke: () => {} },
    activities: new Activities(() => {}),
    announcer: new Announcer(doorbell),
    metrics: new RouterMetrics(),
    clock,
  };
  const [limiter, reminders] = [new RateLimiter(clock.monotonic), new Reminders(clock.monotonic)];
  const inbound = new Inbound({ ...shared, limiter, reminders });
  const own = { health: new ChannelHealthBook(), namespaces, version: "1", notReady: () => [] };
  const app = buildListener({
    ...{ name: "admin", api: adminApi, makeRequestId: () => "r", log, metrics: shared.metrics },
    handlers: createAdminHandlers({ ...shared, ...own, doorbell, inbound }),
    authenticate: async (bearer) => personOfToken(bearer),
    ending: new AbortController().signal,
  });
  const as = (token: string) =>
    createClient(adminApi, {
      baseUrl: "",
      token: () => token,
      fetch: async (url, { method, headers, body }) => {
        const sent = { method: method === "GET" ? "GET" : method === "PUT" ? "PUT" : "POST", url, headers } as const;
        const answer = await app.inject(body === undefined ? sent : { ...sent, payload: body });
        return { status: answer.statusCode, text: async () => answer.body };
      },
    });
  let said = 0;
  const say = async (token: string, text: string, more: Partial<Say> = {}) => {
    const message = { namespace: "agents", conversation: "main", sender: "somebody", text, dedupeKey: `${said++}` };
    return await as(token).say({ ...message, ...more });
  };
  const heard = async (token: string) =>
    (await as(token).history({ namespace: "agents", conversation: "main" })).lines.map(({ text }) => text);
  /** A runner that has taken what waits in the session. */
  const take = async (session: string) => {
    const holder = { session: `agents/${session}`, epoch: 1, podUid: "u", instance: "i" };
    await store.observePod(holder);
    await store.hello(holder);
    return { holder, messages: (await store.take(holder, { held: [], limit: 10 })).messages };
  };
  const sees = (tokens: readonly string[], blob: string) =>
    Promise.all(tokens.map((token) => maySeeFile(store, personOfToken(token), blob)));
  const dispose = async () => {
    await app.close();
    await store[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
  return { store, folder, as, say, heard, take, sees, [Symbol.asyncDispose]: dispose };
}

/** Code of the refusal; undefined without one. */
const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    ({ code }) => code,
  );

describe("people in a cluster", () => {
  it("have conversations of their own, whatever these are called", async () => {
    await using world = await start();
    const [first, second] = [await world.say("ada", "from ada"), await world.say("bob", "from bob")];
    assert.notEqual(first.session, second.session);
    assert.deepEqual([await world.heard("ada"), await world.heard("bob")], [["from ada"], ["from bob"]]);
    const ada = world.as("ada");
    const { items } = await ada.listSessions({ namespace: "agents" });
    assert.deepEqual(
      items.map(({ name, terminal }) => [name, terminal]),
      [[first.session, "main"]],
    );
    const rowsOf = async (session: string) =>
      (await ada.listMessages({ namespace: "agents", session })).items.map(({ text }) => text);
    assert.deepEqual([await rowsOf(first.session), await rowsOf(second.session)], [["from ada"], []]);
  });

  it("see their own however many there are of others", async () => {
    await using world = await start();
    const { session } = await world.say("ada", "from ada");
    for (const conversation of ["one", "two"]) await world.say("bob", "from bob", { conversation });
    const { items } = await world.as("ada").listSessions({ namespace: "agents", limit: 1 });
    assert.deepEqual(
      items.map(({ name }) => name),
      [session],
    );
  });

  it("see their own messages in a session that they share", async () => {
    await using world = await start();
    const { session } = await world.say("ada", "from ada", { namespace: "shared" });
    for (const text of ["one", "two"]) await world.say("bob", text, { namespace: "shared" });
    const { items } = await world.as("ada").listMessages({ namespace: "shared", session, limit: 1 });
    assert.deepEqual(
      items.map(({ text }) => text),
      ["from ada"],
    );
  });

  it("hear each time that they send too much", async () => {
    await using world = await start();
    const told = [];
    for (let line = 0; line < 124; line++) told.push(await codeOf(world.say("ada", `line ${line}`)));
    assert.deepEqual(told.slice(-4), Array(4).fill("rateLimited"));
  });

  it("stop no turn but their own", async () => {
    await using world = await start();
    const { session } = await world.say("ada", "work");
    await world.take(session);
    const stop = async (token: string) =>
      (await world.as(token).stop({ namespace: "agents", conversation: "main", sender: "ada" })).stopping;
    assert.deepEqual([await stop("bob"), await stop("ada")], [false, true]);
  });

  it("can't reach into those of others by a name with a slash", async () => {
    await using world = await start();
    for (const [token, conversation] of [
      ["slash", "main"],
      ["plain", "y/main"],
    ] as const)
      await world.as(token).history({ namespace: "agents", conversation });
    const named = async (address: string) => (await world.store.introduce(conversationAt(address), undefined)).name;
    assert.deepEqual([await named("x%2Fy/main"), await named("x/y/main")], ["x/y/main", "x/y/main"]);
  });

  it("speak under the name of their token, and agents have a name for each conversation", async () => {
    await using world = await start();
    const { session } = await world.say("ada", "hello", { sender: "owen" });
    const { messages } = await world.take(session);
    assert.deepEqual(
      messages.map(({ sender, from }) => [sender, from]),
      [["system:serviceaccount:agents:ada", "ada-main"]],
    );
  });

  it("reach no group in which they have no role, also when they choose it", async () => {
    await using world = await start();
    for (const more of [{}, { group: "helper" }]) {
      const message = /as terminal:system:serviceaccount:agents:eve/;
      await assert.rejects(world.say("eve", "let me in", more), { code: "senderUnknown", message });
      await assert.rejects(world.say("admin", "me too", more), { code: "senderUnknown" });
      await world.say("gina", "I may", more);
    }
    await assert.rejects(world.say("ada", "there", { namespace: "others" }), { code: "senderUnknown" });
  });

  it("have a bounded number of conversations, each person apart", async () => {
    await using world = await start();
    const open = (token: string, name: number) =>
      codeOf(world.as(token).history({ namespace: "agents", conversation: `c${name}` }));
    const codes = await Promise.all(Array.from({ length: 1_001 }, (_, name) => open("ada", name)));
    assert.deepEqual([codes.indexOf("forbidden"), codes.filter(Boolean).length], [1_000, 1]);
    assert.deepEqual([await open("ada", 7), await open("bob", 1_000)], [undefined, undefined]);
  });

  it("hear which namespaces are served when they name another one", async () => {
    await using world = await start();
    const wrong = { code: "notFound", message: /agents, others/ };
    await assert.rejects(world.say("ada", "hi", { namespace: "default" }), wrong);
    await assert.rejects(world.as("admin").usage({}), wrong);
    await assert.rejects(world.as("ada").listSessions({}), wrong);
  });

  it("see and send no files but their own, and those of their conversations", async () => {
    await using world = await start();
    const file = (name: string, digit: string) => ({ name, blob: digit.repeat(64), bytes: 3 });
    const [mine, theirs, sent] = [file("mine.txt", "a"), file("theirs.txt", "b"), file("sent.txt", "c")];
    await world.store.blobStored(mine, uploaderOf(personOfToken("ada")));
    await world.store.blobStored(theirs, uploaderOf(personOfToken("bob")));
    assert.deepEqual(await world.sees(["ada", "bob"], mine.blob), [true, false]);
    await assert.rejects(world.say("ada", "show me", { files: [theirs] }), { code: "invalid" });
    await world.say("bob", "look", { files: [theirs] });
    assert.deepEqual(await world.sees(["ada", "bob"], theirs.blob), [false, true]);
    const { session } = await world.say("ada", "hello", { files: [mine] });
    const { holder } = await world.take(session);
    await world.store.blobStored(sent, holder.session);
    await world.store.post(holder, { turn: 1, to: "ada-main", text: "here", files: [sent], occurrence: 0 });
    assert.deepEqual(await world.sees(["ada", "bob", "admin"], sent.blob), [true, false, true]);
  });

  type Act = (client: AdminClient, namespace: string, folder: string) => Promise<unknown>;
  const ofNamespace: Readonly<Record<string, Act>> = {
    listResources: (client, namespace) => client.listResources({ kind: "User", namespace }),
    "listMessages of all sessions": (client, namespace) => client.listMessages({ namespace }),
    retry: async (client, namespace) => {
      const code = await codeOf(client.retry({ id: "none", namespace }));
      if (code !== "notFound") throw new CopepodError("forbidden", `it said ${code}`);
    },
    usage: (client, namespace) => client.usage({ namespace }),
  };
  const ofAll: Readonly<Record<string, Act>> = {
    applyResource: (client) => client.applyResource({ resource: {} }),
    backup: (client, _namespace, folder) => client.backup({ path: join(folder, "backup.db") }),
  };

  for (const [name, act] of Object.entries({ ...ofNamespace, ...ofAll })) {
    it(`may call ${name} only as admins`, async () => {
      await using world = await start();
      const tryAs = (token: string, namespace = "agents") => codeOf(act(world.as(token), namespace, world.folder));
      for (const token of ["ada", "eve", "gina"]) assert.equal(await tryAs(token), "forbidden", token);
      assert.equal(await tryAs("owen"), name in ofAll ? "forbidden" : undefined);
      assert.equal(await tryAs("owen", "others"), "forbidden");
      assert.equal(await tryAs("admin"), undefined);
    });
  }

  it("see of the status what is theirs: the Owner of a namespace its problems, others none", async () => {
    await using world = await start();
    const shown = async (token: string, namespace = "agents") => {
      const { ready, problems, channels } = await world.as(token).status({ namespace });
      return [ready, problems.map((problem) => problem.namespace), channels.length];
    };
    assert.deepEqual(await shown("ada"), [true, [], 0]);
    assert.deepEqual(await shown("owen"), [true, ["agents"], 2]);
    assert.deepEqual(await shown("owen", "others"), [true, [], 0]);
    assert.deepEqual(await shown("admin"), [true, ["shared", "agents", "others"], 4]);
  });

  it("who are admins see and mend only rows of the namespace that they name", async () => {
    await using world = await start();
    await world.say("ada", "in agents");
    assert.equal(await codeOf(world.say("ada", "refused", { namespace: "others" })), "senderUnknown");
    const rowsIn = async (token: string, namespace: string) =>
      (await world.as(token).listMessages({ namespace })).items.filter(({ direction }) => direction === "in");
    assert.deepEqual(
      (await rowsIn("owen", "agents")).map(({ text }) => text),
      ["in agents"],
    );
    const [dead, ...more] = await rowsIn("admin", "others");
    assert.deepEqual([dead?.code, more], ["senderUnknown", []]);
    const id = dead?.id ?? "";
    assert.equal(await codeOf(world.as("owen").retry({ id, namespace: "agents" })), "notFound");
    assert.equal(await codeOf(world.as("admin").retry({ id, namespace: "others" })), "conflict");
  });
});

describe("the owner of a machine", () => {
  it("speaks as whom they say, in conversations with plain names", async () => {
    await using world = await start(undefined);
    const { session } = await world.say("owner", "hi", { sender: "system:serviceaccount:agents:ada" });
    const { items } = await world.as("owner").listSessions({ namespace: "agents" });
    assert.deepEqual(
      items.map(({ name, terminal }) => [name, terminal]),
      [[session, "main"]],
    );
  });
});

const conversationAt = (address: string) => ({
  ...{ namespace: "agents", channel: "terminal", address, name: undefined, isGroup: false, servedByRouter: true },
});
