import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import type { KubeObject } from "@copepod/kube/object";
import { TestClock } from "../queue/contract/testing.ts";
import { serviceAccountOf, TokenReviews } from "./token-reviews.ts";

const username = "system:serviceaccount:agents:copepod-group-helper";
const extra = { "authentication.kubernetes.io/pod-name": ["s-1"], "authentication.kubernetes.io/pod-uid": ["uid-1"] };
const good = { authenticated: true, audiences: ["copepod-router"], user: { username, extra } };

const tokenOf = (claims: object) => `a.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c`;

function start() {
  const clock = new TestClock();
  const world = { clock, asked: 0, status: good as unknown, answer: async () => {} };
  const reviews = new TokenReviews(
    {
      create: async (_, object): Promise<KubeObject> => {
        world.asked += 1;
        await world.answer();
        return { ...object, status: world.status };
      },
    },
    clock,
  );
  /** A token that is good for so long. */
  const token = (seconds: number, aud: string | string[] = ["copepod-router", "copepod-admin"]) =>
    tokenOf({ aud, exp: clock.now() / 1_000 + seconds });
  const review = async (text: string) => await reviews.review(text, "copepod-router");
  return { world, token, review, reviews };
}

describe("reviews of tokens", () => {
  it("say whose a token is, and ask once for calls at the same time and until it expires", async () => {
    const { world, token, review } = start();
    const text = token(600);
    const answers = await Promise.all([review(text), review(text), review(text)]);
    assert.deepEqual(answers[0], { username, pod: { name: "s-1", uid: "uid-1" } });
    world.clock.pass(599_000);
    await review(text);
    assert.equal(world.asked, 1);
    world.clock.pass(1_000);
    await review(text);
    assert.equal(world.asked, 2);
  });

  it("are asked for again after a minute where a person calls", async () => {
    const { world, token, reviews } = start();
    world.status = { ...good, audiences: ["copepod-admin"] };
    const text = token(600);
    for (const ms of [0, 59_000, 1_000]) {
      world.clock.pass(ms);
      await reviews.review(text, "copepod-admin");
    }
    assert.equal(world.asked, 2);
  });

  for (const [what, status] of [
    ["that is not authenticated", { authenticated: false, error: "no" }],
    ["for another audience", { ...good, audiences: ["copepod-channel"] }],
    ["of which no audience is named", { ...good, audiences: undefined }],
    ["of nobody", { ...good, user: {} }],
  ] as const) {
    it(`refuse a token ${what}, and remember that for a moment only`, async () => {
      const { world, token, review } = start();
      world.status = status;
      const text = token(600);
      for (let call = 0; call < 3; call++) await assert.rejects(review(text), { code: "unauthorized" });
      assert.equal(world.asked, 1);
      world.clock.pass(1_000);
      world.status = good;
      assert.equal((await review(text)).username, username);
    });
  }

  it("do not keep an outage, and never say the token", async () => {
    const { world, token, review } = start();
    const text = token(600);
    world.answer = async () => {
      throw new CopepodError("clusterUnavailable", "no answer");
    };
    await assert.rejects(review(text), { code: "clusterUnavailable" });
    world.answer = async () => {};
    world.status = {};
    await assert.rejects(review(text), (error: Error) => !error.message.includes(text));
    assert.equal(world.asked, 2);
  });

  it("of a token that does not say when it ends are asked for again and again", async () => {
    const { world, review } = start();
    const text = tokenOf({ aud: "copepod-router" });
    await review(text);
    world.clock.pass(1_000);
    await review(text);
    assert.equal(world.asked, 2);
  });

  it("are asked of no API server for what says itself that it is none of ours", async () => {
    const { world, token, review } = start();
    for (const text of ["opaque", "a.b.c", token(600, "https://kubernetes.default.svc"), token(600, [])])
      await assert.rejects(review(text), { code: "unauthorized" });
    assert.equal(world.asked, 0);
  });

  it("know the service account of a user name", () => {
    assert.deepEqual(serviceAccountOf(username), { namespace: "agents", name: "copepod-group-helper" });
    for (const other of ["ada", "system:serviceaccount:agents", "system:serviceaccount:a:b:c"])
      assert.equal(serviceAccountOf(other), undefined);
  });
});
