import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { describe, it } from "node:test";
import { isReachable } from "../network/addresses.ts";
import { compileRule } from "../rules/match.ts";
import { compileRules } from "../rules/rules.ts";
import { openRule, ProxyInProcess, refusalOf, upstreamRule } from "../testing/proxy.ts";
import { FakeUpstream } from "../testing/upstream.ts";

const denied = [403, "addressDenied"];
const publicOnly = { isPrivate: false, isPlain: false, own: new Set<string>() };
const withPrivate = { isPrivate: true, isPlain: false, own: new Set<string>() };

const metadata = [
  ...["169.254.169.254", "[fd00:ec2::254]", "[fd20:ce::254]", "100.100.100.200", "168.63.129.16", "192.0.0.192"],
];

/** What a request to an upstream at the host gets, and which names were looked up. */
async function reach(host: string, { isPrivate = false, answers = [] as readonly string[] } = {}) {
  const url = `https://${host}`;
  const rules = {
    group: "team",
    upstreams: [upstreamRule("api", url, { private: isPrivate })],
    rules: [openRule("api", url, { hosts: [new URL(url).host.replace(/\.$/, "")] })],
  };
  await using proxy = await ProxyInProcess.create(rules, {
    resolve: async () => answers.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
  });
  return { refusal: refusalOf(await proxy.send()), lookups: proxy.lookups };
}

const refusedAtLoad = (url: string): void =>
  assert.throws(
    () => compileRules({ group: "team", upstreams: [upstreamRule("api", url)], rules: [] }),
    { code: "invalid" },
    url,
  );

describe("addresses", { timeout: 60_000 }, () => {
  it("A1: no metadata service is reached, by address or by a listed name, private or not", async () => {
    for (const host of metadata) {
      for (const isPrivate of [false, true]) {
        assert.deepEqual((await reach(host, { isPrivate })).refusal, denied, host);
        const answers = [host.replace(/[[\]]/g, "")];
        const named = await reach("metadata.google.internal", { isPrivate, answers });
        assert.deepEqual(named, { refusal: denied, lookups: ["metadata.google.internal"] }, host);
      }
    }
  });

  it("A2: names and addresses of a cluster are refused unless the Credential says private", async () => {
    for (const address of ["10.96.0.1", "172.20.0.1", "192.168.1.10", "100.64.0.1", "fd12:3456::1"]) {
      assert.deepEqual((await reach("kubernetes.default.svc", { answers: [address] })).refusal, denied, address);
      assert.deepEqual(
        (await reach(address.includes(":") ? `[${address}]:10250` : `${address}:10250`)).refusal,
        denied,
      );
      assert.ok(isReachable(address, withPrivate), address);
    }
  });

  it("A3: every spelling of loopback is loopback", async () => {
    const spellings = [
      "127.1",
      "2130706433",
      "0x7f.1",
      "0177.0.0.1",
      "①②⑦.0.0.1",
      "0.0.0.0",
      "[::]",
      "[::1]",
      "127.9.9.9",
    ];
    for (const host of spellings) assert.deepEqual((await reach(host)).refusal, denied, host);
    for (const host of ["localhost", "localhost.", "LOCALHOST"]) {
      assert.deepEqual((await reach(host, { answers: ["127.0.0.1", "::1"] })).refusal, denied, host);
    }
  });

  it("A4: no form of IPv6 that holds an IPv4 address is reached, private or not", () => {
    const embedded = [
      "::ffff:a9fe:a9fe",
      "::ffff:169.254.169.254",
      "::ffff:127.0.0.1",
      "::127.0.0.1",
      "::ffff:0:10.0.0.1",
    ]
      .concat(["64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::1", "2001::1", "3fff::1", "2001:db8::1"])
      .concat(["fe80::1", "ff02::1", "100::1", "::", "5f00::1", "::ffff:8.8.8.8"]);
    for (const address of embedded) {
      assert.ok(!isReachable(address, publicOnly), address);
      assert.ok(!isReachable(address, withPrivate), address);
    }
    for (const address of ["2606:4700::1111", "2a00:1450::1"]) assert.ok(isReachable(address, publicOnly), address);
  });

  it("A5: an address with a zone is none", async () => {
    for (const address of ["fe80::1%eth0", "::ffff:1.2.3.4%x.allowed.com", "2606:4700::1%eth0", "not-an-address", ""]) {
      assert.ok(!isReachable(address, withPrivate), address);
      assert.deepEqual((await reach("api.example.com", { answers: [address] })).refusal, denied, address);
    }
    for (const url of ["https://[fe80::1%eth0]", "https://[::ffff:1.2.3.4%x.allowed.com]"]) refusedAtLoad(url);
  });

  it("A6: this machine's own addresses are refused, also where they are public", async () => {
    const own = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
    for (const address of own) {
      assert.deepEqual((await reach("api.example.com", { answers: [address] })).refusal, denied, address);
    }
    const policy = { ...publicOnly, own: new Set(["8.8.4.4"]) };
    assert.deepEqual([isReachable("8.8.4.4", policy), isReachable("8.8.8.8", policy)], [false, true]);
  });

  it("A7: an address in the place of a name is vetted although nothing resolves it", async () => {
    await using upstream = await FakeUpstream.start();
    for (const host of [`127.0.0.1:${upstream.port}`, "10.0.0.1", "[fd00::1]"]) {
      assert.deepEqual(await reach(host), { refusal: denied, lookups: [] }, host);
    }
    assert.equal(upstream.connections, 0);
  });

  it("A8: a name is resolved once per connection, and only vetted answers are dialled", async () => {
    await using upstream = await FakeUpstream.start();
    let call = 0;
    // What a rebinding name does: another answer each time. Only private upstreams can be served on loopback here.
    const answers = [["169.254.169.254", "0.0.0.0", "127.0.0.1"], ["169.254.169.254"]];
    await using proxy = await ProxyInProcess.for(`http://rebinding.example.com:${upstream.port}`, {
      resolve: async () => (answers[call++] ?? []).map((address) => ({ address, family: 4 })),
    });
    assert.equal((await proxy.send()).status, 200);
    assert.equal((await proxy.send()).status, 200, "the connection that was vetted goes on being used");
    assert.deepEqual([proxy.lookups.length, upstream.connections], [1, 1]);
    upstream.closeConnections();
    assert.deepEqual(refusalOf(await proxy.send()), denied);
    assert.equal(upstream.connections, 1);
  });

  it("A9: names below a wildcard are decided by where they lead, and the wildcard ends at a label", async () => {
    for (const name of ["127.0.0.1.nip.io", "lvh.me", "a.b.allowed.example"]) {
      assert.deepEqual((await reach(name, { answers: ["127.0.0.1"] })).refusal, denied, name);
    }
    const matcher = compileRule(openRule("api", "https://x.example", { hosts: ["*.allowed.example"] }));
    const matches = (host: string) => matcher.matches({ host, path: "/v1", method: "POST" });
    assert.deepEqual(["a.allowed.example", "a.b.allowed.example"].map(matches), [true, true]);
    const others = ["allowed.example", ".allowed.example", "evilallowed.example", "a.allowed.example.evil.example"];
    assert.deepEqual(others.map(matches), [false, false, false, false]);
  });

  it("A10: a host pattern that could match by chance is refused when it is loaded", () => {
    const patterns = [
      "*example.com",
      "*",
      "*.com",
      "a.*.com",
      "*.*.com",
      "exam*.com",
      "*.example.com:*",
      "Api.example.com",
    ];
    for (const host of [...patterns, "*.10.0.0", "api.example.com.", "api.example.com/x", "a@b.com", "", "a b.com"]) {
      const rules = { group: "team", upstreams: [], rules: [openRule("api", "https://x.example", { hosts: [host] })] };
      assert.throws(() => compileRules(rules), { code: "invalid" }, host);
    }
  });

  it("A11: a rule holds for its port only", async () => {
    await using upstream = await FakeUpstream.start();
    for (const hosts of [["127.0.0.1"], ["127.0.0.1:22"], ["127.0.0.1:443"]]) {
      const rules = {
        group: "team",
        upstreams: [upstreamRule("api", upstream.url)],
        rules: [openRule("api", upstream.url, { hosts })],
      };
      await using proxy = await ProxyInProcess.create(rules);
      assert.deepEqual(refusalOf(await proxy.send()), [403, "requestNotAllowed"], hosts.join());
    }
    assert.equal(upstream.connections, 0);
    for (const url of ["https://api.example.com:99999", "https://api.example.com:-1"]) refusedAtLoad(url);
  });

  it("A12: a host that can be spelled in two ways is canonical or refused", async () => {
    const odd = ["https://a@b.example", "https://[api.github.com]", "https://host.example:443@evil.example"];
    for (const url of [...odd, "https://a b.example", "https://", "https://b.example?x", "https://b.example#x"]) {
      refusedAtLoad(url);
    }
    for (const spelled of ["api。example.com", "API.example.com", "api.example.com."]) {
      const url = `https://${spelled}`;
      const { routes } = compileRules({ group: "team", upstreams: [upstreamRule("api", url)], rules: [] });
      assert.equal(routes.get("api")?.origin, "https://api.example.com", spelled);
    }
    await using upstream = await FakeUpstream.start();
    await using proxy = await ProxyInProcess.for(upstream.url);
    for (const host of ["a@b", "[api.github.com]", "localhost:443@evil", "local host", "api。github.com", "a,b"]) {
      const headers = `Host: ${host}\r\nx-api-key: ${proxy.placeholders.of("api")}\r\ncontent-length: 0`;
      const text = await proxy.sendRaw(`POST /api/v1/messages HTTP/1.1\r\n${headers}\r\nconnection: close\r\n\r\n`);
      assert.match(text, /^HTTP\/1\.1 400 /, host);
    }
    assert.equal(upstream.connections, 0);
  });

  it("A13: no name reaches the resolver before the request has passed the rules", async () => {
    const url = "https://exfiltrated-data.example.com";
    const rules = {
      group: "team",
      upstreams: [upstreamRule("api", url)],
      rules: [openRule("api", url, { paths: ["/v1/messages"] })],
    };
    await using proxy = await ProxyInProcess.create(rules, { resolve: async () => [] });
    await proxy.send({ path: "/api/v1/files" });
    await proxy.send({ headers: { "x-api-key": "sk-foreign" } });
    await proxy.send({ path: "/other.example.com/v1/messages" });
    await proxy.send({ headers: { host: "secret-bits.attacker.example" }, path: "/api/v1/nothing" });
    assert.deepEqual(proxy.lookups, []);
  });
});
