import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { MessageRow } from "@copepod/core/admin-api";
import { parse } from "yaml";
import { FakeRouter } from "../testing/fake-router.ts";
import { runCli } from "../testing/run-cli.ts";

const row: MessageRow = {
  id: "01A",
  direction: "in",
  session: "default/helper-0123456789ab",
  seq: 1,
  kind: "chat",
  state: "done",
  attempt: 1,
  createdAt: Date.now(),
  text: "hello",
};

describe("copepod get", () => {
  let router: FakeRouter;
  beforeEach(async () => {
    router = await FakeRouter.start();
    router.resources = [
      {
        apiVersion: "copepod.dev/v1alpha1",
        kind: "AgentGroup",
        metadata: { name: "helper", namespace: "default" },
        spec: { agent: { provider: "demo" } },
        status: { sessions: 2, awake: 1, waiting: 0 },
      },
    ];
    router.sessions = [
      {
        namespace: "default",
        name: "helper-0123456789ab",
        group: "helper",
        phase: "Awake",
        epoch: 3,
        pending: 1,
        lastActiveAt: Date.now(),
        podUid: "uid-1",
      },
    ];
    router.rows = [row, { ...row, id: "01B", state: "dead", code: "expired", reason: "It waited too long." }];
  });
  afterEach(() => router[Symbol.asyncDispose]());

  for (const name of ["agentgroups", "agentgroup", "AgentGroup", "cpag"]) {
    it(`knows agent groups as ${name}`, async () => {
      const { code, stdout } = await runCli(["get", name], { router });
      assert.equal(code, 0);
      assert.match(stdout, /^NAME +PROVIDER +SESSIONS +AWAKE +WAITING\nhelper +demo +2 +1 +0\n$/);
    });
  }

  it("shows one resource as YAML that can be applied again", async () => {
    const { stdout } = await runCli(["get", "cpag", "helper", "-o", "yaml"], { router });
    assert.deepEqual(parse(stdout), router.resources[0]);
  });

  it("shows sessions, and their pods in the wide form", async () => {
    const narrow = await runCli(["get", "sessions"], { router });
    assert.match(narrow.stdout, /^NAME +GROUP +PHASE +PENDING +OLDEST +LAST-ACTIVE +REASON\n/);
    assert.doesNotMatch(narrow.stdout, /uid-1/);
    assert.match((await runCli(["get", "cpsess", "-o", "wide"], { router })).stdout, /3 +uid-1/);
  });

  it("shows names only", async () => {
    const { stdout } = await runCli(["get", "messages", "-o", "name"], { router });
    assert.equal(stdout, "message/01A\nmessage/01B\n");
  });

  it("shows messages in one state, and dead letters with their reason", async () => {
    const done = await runCli(["get", "messages", "--state", "done", "-o", "json"], { router });
    assert.deepEqual(JSON.parse(done.stdout), { items: [row] });
    assert.match(
      (await runCli(["get", "dead-letters", "-o", "wide"], { router })).stdout,
      /expired.*It waited too long\./,
    );
  });

  it("says that a list is empty on stderr", async () => {
    assert.deepEqual(await runCli(["get", "users"], { router }), { code: 0, stdout: "", stderr: "No users found.\n" });
  });

  it("exits 3 for what does not exist, and says so as JSON when asked to", async () => {
    assert.equal((await runCli(["get", "spaceships"], { router })).code, 3);
    const { code, stderr } = await runCli(["get", "cpag", "nobody", "-o", "json"], { router });
    assert.equal(code, 3);
    assert.deepEqual(JSON.parse(stderr), { error: { code: "notFound", message: 'cpag "nobody" does not exist' } });
  });

  it("exits 2 for a state or a limit that can't be", async () => {
    assert.equal((await runCli(["get", "messages", "--state", "lost"], { router })).code, 2);
    assert.equal((await runCli(["get", "messages", "--limit", "0"], { router })).code, 2);
  });
});

describe("copepod retry, backup and stop", () => {
  it("say what they did, as a sentence or as JSON", async () => {
    await using router = await FakeRouter.start();
    router.rows = [{ ...row, state: "dead" }];
    assert.equal((await runCli(["retry", "01A"], { router })).stdout, "message/01A pending\n");
    assert.equal((await runCli(["backup", "/tmp/q.db"], { router })).stdout, "/tmp/q.db (3 bytes)\n");
    const stopped = await runCli(["stop", "work", "-o", "json"], { router });
    assert.deepEqual([JSON.parse(stopped.stdout), router.stops], [{ stopping: true }, ["work"]]);
    assert.equal((await runCli(["retry", "nothing"], { router })).code, 3);
  });
});
