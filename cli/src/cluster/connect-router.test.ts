import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { systemClock } from "@copepod/kube/clock";
import { FakeApiServer } from "../testing/fake-api-server.ts";
import { FakeRouter } from "../testing/fake-router.ts";
import { type Ran, type RunOptions, runCli } from "../testing/run-cli.ts";
import { openCluster } from "./open-cluster.ts";
import type { ClusterOptions } from "./options.ts";

describe("a router in a cluster", () => {
  let router: FakeRouter;
  let api: FakeApiServer;

  beforeEach(async () => {
    router = await FakeRouter.start();
    api = await FakeApiServer.start(router.socketPath);
  });
  afterEach(async () => {
    await api[Symbol.asyncDispose]();
    await router[Symbol.asyncDispose]();
  });

  async function run(
    args: readonly string[],
    options: RunOptions & { readonly with?: ClusterOptions } = {},
  ): Promise<Ran> {
    const cluster = await openCluster(
      { kubeconfigs: [api.kubeconfig] },
      {
        version: "1",
        clock: systemClock,
        ...options.with,
      },
    );
    return await runCli(["--cluster", ...args], { ...options, cluster });
  }

  it("is asked over a forwarded port, with a token of its own audience", async () => {
    const { code, stdout } = await run(["ask", "hello"]);
    assert.deepEqual([code, stdout, api.tokens], [0, "echo hello\n", 1]);
  });

  it("is found again when it restarts while an answer is waited for", async (t) => {
    router.reply = () => ({ pending: true });
    const asked = run(["ask", "hello"]);
    await t.waitFor(() => assert.equal(router.messages.length, 1));
    await router.stopServing();
    api.breakForwards();
    const { forwards } = api;
    await t.waitFor(() => assert.ok(api.forwards > forwards));
    await router.serve();
    router.finish("message-1", [{ from: "agent", text: "after all" }]);
    const { code, stdout, stderr } = await asked;
    assert.deepEqual([code, stdout], [0, "after all\n"]);
    assert.match(stderr, /does not answer; trying again/);
    assert.match(stderr, /Copepod is back/);
  });

  it("is asked with the token of a file", async () => {
    const tokenFile = join(router.folder, "token");
    await writeFile(tokenFile, "x.y.z\n");
    assert.equal((await run(["status"], { with: { tokenFile } })).code, 0);
    assert.equal(api.tokens, 0);
  });

  it("is missed with a sentence: not installed, not running, no right to the port, no right to a token", async () => {
    const cases: [() => void, number, RegExp][] = [
      [() => Object.assign(api, { routerState: undefined }), 8, /namespace "copepod" has no router\n.*copepod install/],
      [
        () => Object.assign(api, { routerState: { waiting: { reason: "ErrImagePull", message: "none" } } }),
        1,
        /not running: its pod copepod-router-0 is Running \(ErrImagePull: none\)/,
      ],
      [
        () => Object.assign(api, { routerState: { running: {} }, refusals: { portforward: true } }),
        7,
        /lack the right to create pods\/portforward in the namespace "copepod"/,
      ],
      [
        () => Object.assign(api, { refusals: { token: "User can't" } }),
        7,
        /may not speak as the service account "copepod\/copepod-admin".*serviceaccounts\/token/,
      ],
      [
        () =>
          Object.assign(api, {
            refusals: { token: "ValidatingAdmissionPolicy 'a' denied request: Ask for speak-as." },
          }),
        7,
        /may not speak as the service account "copepod\/copepod-admin": Ask for speak-as\.\n/,
      ],
    ];
    for (const [prepare, code, sentence] of cases) {
      prepare();
      const ran = await run(["ask", "hello"]);
      assert.match(ran.stderr, sentence);
      assert.equal(ran.code, code);
    }
  });

  it("shows its logs line by line, without what would steer a terminal", async () => {
    const text = Buffer.from('{"msg":"grüße"}\n\n\u001b[2Jlast');
    api.logBytes = [text.subarray(0, 11), text.subarray(11)];
    const { code, stdout } = await run(["logs", "router"]);
    const name = "copepod-router-0 router";
    assert.deepEqual([code, stdout], [0, `${name}: {"msg":"grüße"}\n${name}: [2Jlast\n`]);
  });
});
