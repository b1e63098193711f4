import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { until } from "../../support/until.ts";
import { compile } from "./compile.ts";
import { parseNamespace, parsePod } from "./pod.ts";
import { parsePolicy } from "./policy.ts";
import { rows } from "./testing/rows.ts";
import { namespaces, type PlaceName, places, World } from "./testing/world.ts";

/** How long silence is listened to; what passes needs less than one millisecond. */
const silenceMs = 250;
const patienceMs = 10_000;

const tableOf = (specs: readonly object[]): string =>
  compile({
    pods: Object.values(places).flatMap((place) => ("pod" in place ? [parsePod(place.pod)] : [])),
    namespaces: namespaces.map(parseNamespace),
    policies: specs.map((spec, index) =>
      parsePolicy({ metadata: { namespace: "shop", name: `policy-${index}` }, spec }),
    ),
  });

const isPlace = (name: string): name is PlaceName => name in places;

async function isReached(world: World, probe: string, givenMs: number): Promise<boolean> {
  const [, from = "", to = "", protocol, port] = /^(\w+) -> (\w+) (\w+)\/(\d+)$/.exec(probe) ?? [];
  if (!isPlace(from) || !isPlace(to)) throw new Error(`${probe} names no places`);
  const dial = { protocol: protocol === "udp" ? "udp" : "tcp", host: places[to].address, port: Number(port) } as const;
  return await world.dial(from, { ...dial, patienceMs: givenMs });
}

const without = [
  ...["nft", "ip", "unshare", "nsenter"].filter((tool) => spawnSync(tool, ["-V"]).error),
  ...(spawnSync("unshare", ["--net", "true"]).status === 0 ? [] : ["the right to make network namespaces (root)"]),
];
const isRequired = process.env.COPEPOD_REQUIRE_CLUSTER === "1";
const skip = without.length > 0 && !isRequired && `real packets need ${without.join(", ")}`;

describe("network policies, with real packets", { skip }, () => {
  let world: World;
  before(async () => {
    assert.deepEqual(without, [], "COPEPOD_REQUIRE_CLUSTER=1 asks for tests with real packets, which need these");
    world = await World.create();
  });
  after(async () => await world?.[Symbol.asyncDispose]());

  it("every probe of the table below gets through where there is no policy", async () => {
    await world.applyTable(tableOf([]));
    const probes = [...new Set(rows.flatMap(({ passes, drops }) => [...passes, ...drops]))];
    const reached = await Promise.all(probes.map(async (probe) => await isReached(world, probe, patienceMs)));
    assert.deepEqual(
      probes.filter((_, index) => !reached[index]),
      [],
    );
  });

  for (const { name, policies, passes, drops } of rows)
    it(name, async () => {
      await world.applyTable(tableOf(policies));
      const verdicts = await Promise.all([
        ...passes.map(async (probe) => [probe, await isReached(world, probe, patienceMs)]),
        ...drops.map(async (probe) => [probe, await isReached(world, probe, silenceMs)]),
      ]);
      assert.deepEqual(verdicts, [...passes.map((probe) => [probe, true]), ...drops.map((probe) => [probe, false])]);
    });

  it("a connection that is open when a policy comes stands still until a policy lets it go on", async () => {
    const dial = { protocol: "tcp", host: places.web.address, port: 80, keep: "open" } as const;
    await world.applyTable(tableOf([]));
    assert.equal(await world.dial("client", { ...dial, patienceMs }), true);
    await world.applyTable(tableOf([{ podSelector: {}, policyTypes: ["Ingress", "Egress"] }]));
    assert.equal(await world.dial("client", { ...dial, patienceMs: silenceMs }), false);
    await world.applyTable(tableOf([]));
    assert.equal(await world.dial("client", { ...dial, patienceMs }), true);
  });

  it("the node is not reached by the link-local address of a pod's wire", async (test) => {
    const addresses = ["ip", "-6", "address", "show", "dev", "wire0"];
    if ((await world.run("node", addresses)) === "") return test.skip("this machine has no IPv6");
    const host = await until("the address of the wire", async () => {
      return /inet6 (fe80:[0-9a-f:]+)\S* scope link(?! tentative)/.exec(await world.run("node", addresses))?.[1];
    });
    const dial = { protocol: "tcp", host: `${host}%eth0`, port: 443 } as const;
    await world.run("node", ["nft", "delete", "table", "inet", "copepod_network_policy"]);
    await until("the node's answer", async () => await world.dial("web", { ...dial, patienceMs: silenceMs }));
    await world.applyTable(tableOf([]));
    assert.equal(await world.dial("web", { ...dial, patienceMs: silenceMs }), false);
  });
});
