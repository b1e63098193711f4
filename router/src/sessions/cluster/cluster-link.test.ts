import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KubeObject } from "@copepod/kube/object";
import { pino } from "pino";
import { TokenReviews } from "../../http/token-reviews.ts";
import type { SessionWish } from "../../queue/queue-store.ts";
import type { PodReport } from "../session-starter.ts";
import { ClusterLink } from "./cluster-link.ts";
import { StatusWriter } from "./status-writer.ts";
import { SessionsWorld } from "./testing.ts";

const log = pino({ level: "silent" });
const key = "agents/helper-1";
const wish = (wanted: boolean, epoch: number): SessionWish => ({
  ...{ session: key, group: "agents/helper", wanted, epoch },
  key: { kind: "Group", conversation: undefined, thread: undefined },
});

const token = (aud: string) => `a.${Buffer.from(JSON.stringify({ aud })).toString("base64url")}.c`;

class LinkWorld extends SessionsWorld {
  readonly heard: string[] = [];
  readonly reports: PodReport[] = [];
  readonly ending = new AbortController();
  readonly link: ClusterLink;
  /** Whose the next token is. */
  user: object = {};
  audience = "copepod-router";
  failures = 0;
  #following: Promise<void> | undefined;

  constructor() {
    super();
    const { sessions, clock } = this;
    const statuses = new StatusWriter({
      store: { session: async () => undefined },
      sessions,
      client: this,
      clock,
      log,
    });
    const create = async (_: unknown, object: KubeObject): Promise<KubeObject> => ({
      ...object,
      status: { authenticated: true, audiences: [this.audience], user: this.user },
    });
    const reflectors = { problem: () => undefined };
    const reviews = new TokenReviews({ create }, clock);
    const more = { namespaces: ["agents"], random: () => 0, log };
    this.link = new ClusterLink({ sessions, reflectors, reviews, statuses, ...more });
  }

  follow(): void {
    const listener = {
      connected: () => void this.heard.push("connected"),
      forgot: (session: string) => void this.heard.push(`forgot ${session}`),
      suspensionsChanged: () => void this.heard.push("suspensions"),
      pods: async (pods: readonly PodReport[]) => {
        if (this.failures-- > 0) throw new Error("the queue is away");
        this.reports.push(...pods);
      },
    };
    this.#following = this.link.follow(listener, this.ending.signal);
  }

  /** What was heard since the last time. */
  news(): string[] {
    this.watch();
    return this.heard.splice(0);
  }

  async end(): Promise<void> {
    this.ending.abort();
    await this.#following;
  }
}

describe("the link to a cluster", () => {
  it("hears of what others make of its wish, and not of what it wrote itself", async () => {
    const world = new LinkWorld();
    world.follow();
    await world.link.put(wish(true, 1));
    assert.deepEqual(world.news(), ["connected"]);
    world.meddle(key, { status: { phase: "Waking", epoch: 1 } });
    assert.deepEqual(world.news(), [], "a status is no wish");
    world.meddle(key, { spec: { wake: { wanted: false } } });
    assert.deepEqual(world.news(), [`forgot ${key}`]);
    world.objects.delete(key);
    assert.deepEqual(world.news(), [`forgot ${key}`]);
    await world.end();
  });

  it("says again at the start what is wanted at the API server, and brings in what runs", async () => {
    const world = new LinkWorld();
    await world.sessions.put(wish(true, 3));
    world.meddle(key, { status: { phase: "Awake", epoch: 3, podUid: "uid" } });
    world.watch();
    world.follow();
    assert.deepEqual(world.news(), ["connected", `forgot ${key}`]);
    assert.deepEqual(
      world.reports.map(({ phase, epoch, podUid }) => [phase, epoch, podUid]),
      [["Running", 3, "uid"]],
    );
    await world.end();
  });

  it("brings a report in again until the queue has taken it, and then the last one", async () => {
    const world = new LinkWorld();
    world.follow();
    await world.sessions.put(wish(true, 1));
    world.failures = 2;
    for (const phase of ["Waking", "Awake"]) {
      world.meddle(key, { status: { phase, epoch: 1, podUid: "uid" } });
      world.watch();
    }
    while (world.reports.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.equal(world.reports.at(-1)?.phase, "Running");
    await world.end();
  });

  it("knows which sessions people have suspended", async () => {
    const world = new LinkWorld();
    world.follow();
    await world.sessions.put(wish(true, 1));
    world.news();
    world.meddle(key, { spec: { suspended: true } });
    assert.deepEqual([world.news(), world.link.suspended()], [["suspensions"], [key]]);
    world.meddle(key, { spec: { suspended: false } });
    assert.deepEqual([world.news(), world.link.suspended()], [["suspensions"], []]);
    await world.end();
  });

  const pod = (name: string, uid = "uid") => ({
    "authentication.kubernetes.io/pod-name": [name],
    "authentication.kubernetes.io/pod-uid": [uid],
  });
  const account = (name: string, namespace = "agents") => `system:serviceaccount:${namespace}:${name}`;
  const callers = [
    {
      what: "a pod of the session",
      username: account("copepod-group-helper"),
      extra: pod("helper-1-4"),
      is: { session: key, epoch: 4, podUid: "uid" },
    },
    {
      what: "a pod of an earlier epoch",
      username: account("copepod-group-helper"),
      extra: pod("helper-1-3"),
      is: "superseded",
    },
    {
      what: "a pod of another UID, which somebody gave that name",
      username: account("copepod-group-helper"),
      extra: pod("helper-1-4", "another"),
      is: "podUnknown",
    },
    {
      what: "a pod of another group",
      username: account("copepod-group-other"),
      extra: pod("helper-1-4"),
      is: "unauthorized",
    },
    {
      what: "a pod whose name is none of a session's",
      username: account("copepod-group-helper"),
      extra: pod("helper"),
      is: "unauthorized",
    },
    { what: "a token of no pod", username: account("copepod-group-helper"), extra: {}, is: "unauthorized" },
    { what: "a person", username: "ada", extra: pod("helper-1-4"), is: "unauthorized" },
    {
      what: "a pod of a session that is not there",
      username: account("copepod-group-helper"),
      extra: pod("helper-2-4"),
      is: "podUnknown",
    },
    {
      what: "a pod of a namespace that is not followed",
      username: account("copepod-group-helper", "x"),
      extra: pod("helper-1-4"),
      is: "podUnknown",
    },
  ];
  for (const { what, username, extra, is } of callers) {
    it(`takes the token of ${what} for ${typeof is === "string" ? is : "its session"}`, async () => {
      const world = new LinkWorld();
      await world.sessions.put(wish(true, 4));
      world.meddle(key, { status: { phase: "Waking", epoch: 4, podUid: "uid" } });
      world.watch();
      world.user = { username, extra };
      const answer = world.link.sessionOf(token(world.audience));
      if (typeof is === "string") await assert.rejects(answer, { code: is });
      else assert.deepEqual(await answer, is);
    });
  }

  const host = pod("telegram-7d4");
  for (const [username, extra, is] of [
    [account("copepod-channel-telegram"), host, "agents/telegram"],
    [account("copepod-channel-telegram"), {}, undefined],
    [account("copepod-channel-telegram", "x"), host, undefined],
    [account("copepod-group-helper"), host, undefined],
  ] as const) {
    it(`takes ${username} ${extra === host ? "in a pod" : "without a pod"} for ${is ?? "nobody"} at the channel API`, async () => {
      const world = new LinkWorld();
      Object.assign(world, { user: { username, extra }, audience: "copepod-channel" });
      const answer = world.link.channelOf(token(world.audience));
      if (is === undefined) await assert.rejects(answer, { code: "unauthorized" });
      else assert.equal(await answer, is);
    });
  }
});
