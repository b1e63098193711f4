import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import fastify from "fastify";
import { boundAddresses } from "./addresses.ts";

function start(isLoopbackFree = true) {
  const clock = { now: 0 };
  const app = fastify();
  boundAddresses(app, { monotonic: () => clock.now, isLoopbackFree });
  app.setErrorHandler(async (error, _request, reply) => {
    const isLimit = error instanceof CopepodError && error.code === "rateLimited";
    return await reply.code(isLimit ? 429 : 500).send();
  });
  app.get("/good", async () => "ok");
  app.get("/bad", async (_request, reply) => await reply.code(401).send());
  /** How many of the requests were served. */
  const ask = async (remoteAddress: string, count: number, url = "/good") => {
    let served = 0;
    for (let call = 0; call < count; call++) {
      const { statusCode } = await app.inject({ url, remoteAddress });
      if (statusCode !== 429) served += 1;
    }
    return served;
  };
  return { clock, ask };
}

describe("requests of one address", () => {
  it("are bounded, and take nothing from others", async () => {
    const { clock, ask } = start();
    assert.equal(await ask("10.0.0.1", 500), 400);
    assert.equal(await ask("10.0.0.2", 10), 10);
    clock.now += 1_000;
    assert.equal(await ask("10.0.0.1", 200), 100);
  });

  it("cost more with a bad token", async () => {
    const { ask } = start();
    assert.equal(await ask("10.0.0.1", 100, "/bad"), 20);
    assert.equal(await ask("10.0.0.1", 1), 0);
  });

  it("are not bounded on loopback where people come by a port-forward, but elsewhere", async () => {
    const [people, others] = [start(true), start(false)];
    for (const address of ["127.0.0.1", "::ffff:127.0.0.1", "::1"]) {
      assert.equal(await people.ask(address, 500), 500);
      assert.equal(await others.ask(address, 100, "/bad"), 20);
    }
  });
});
