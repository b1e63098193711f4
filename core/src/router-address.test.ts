import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readRouterAddress, routerUrlSchema } from "./router-address.ts";

const read = (socket: string | undefined, url: string | undefined) =>
  readRouterAddress({ name: "SOCKET", value: socket }, { name: "URL", value: url });

describe("where the router is", () => {
  it("is a socket or a URL", () => {
    assert.deepEqual(read("/run/mailbox", undefined), { kind: "socket", socketPath: "/run/mailbox" });
    assert.deepEqual(read(undefined, "http://router:8081"), { kind: "url", url: "http://router:8081" });
  });

  it("has to be said, in one way", () => {
    assert.throws(() => read(undefined, undefined), /set SOCKET or URL, and not both/);
    assert.throws(() => read("/run/mailbox", "http://router:1"), /set SOCKET or URL, and not both/);
  });

  it("is nothing but a host and a port of plain HTTP", () => {
    for (const url of [
      "https://a:1",
      "http://a",
      "http://a:1/",
      "http://u@a:1",
      "http://a:1?x",
      "http://A b:1",
      "a:1",
    ]) {
      assert.equal(routerUrlSchema.safeParse(url).success, false, url);
    }
    for (const url of [
      "http://copepod-router-mailbox.copepod.svc:8081",
      "http://10.0.0.1:80",
      "http://[fd00::1]:8081",
    ]) {
      assert.equal(routerUrlSchema.safeParse(url).success, true, url);
    }
  });
});
