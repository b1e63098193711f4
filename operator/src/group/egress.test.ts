import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type EgressWish, isClosed, sessionPodLabels, sessionPolicySpec } from "./egress.ts";
import { networkSettings } from "./network-settings.ts";

const network = networkSettings.parse({});
const router = { namespace: "system", podLabels: { app: "router" } };
const specOf = (wish: Partial<EgressWish> = {}) =>
  sessionPolicySpec(sessionPodLabels("a"), {
    network,
    router,
    allow: [],
    upstreams: [],
    addresses: new Map(),
    ...wish,
  });
const rulesOf = (wish: Partial<EgressWish>) => specOf(wish).egress.slice(4);

describe("the network policy of an agent group's sessions", () => {
  it("lets nobody in, and pods out to DNS, the router's mailbox and the internet", () => {
    const spec = specOf();
    assert.deepEqual(spec.policyTypes, ["Ingress", "Egress"]);
    assert.equal("ingress" in spec, false);
    assert.deepEqual(spec.podSelector, {
      matchLabels: { "copepod.dev/component": "session", "copepod.dev/group": "a" },
    });
    const namespace = (name: string) => ({
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } },
    });
    const [dns, mailbox, version4, version6] = spec.egress;
    assert.deepEqual(dns, {
      to: [{ ...namespace("kube-system"), podSelector: { matchLabels: { "k8s-app": "kube-dns" } } }],
      ports: [
        { protocol: "UDP", port: 53 },
        { protocol: "TCP", port: 53 },
      ],
    });
    assert.deepEqual(mailbox, {
      to: [{ ...namespace("system"), podSelector: { matchLabels: { app: "router" } } }],
      ports: [{ protocol: "TCP", port: 8081 }],
    });
    const except = [...network.deniedCidrs.filter((cidr) => !cidr.includes(":")), "168.63.129.16/32"];
    assert.deepEqual(version4, { to: [{ ipBlock: { cidr: "0.0.0.0/0", except } }] });
    assert.deepEqual(version6, { to: [{ ipBlock: { cidr: "2000::/3", except: ["2001::/23", "2002::/16"] } }] });
  });

  it("opens a DNS cache on the nodes only where the settings name it", () => {
    const settings = networkSettings.parse({ dns: { addresses: ["169.254.20.10"] } });
    assert.deepEqual(specOf({ network: settings }).egress[0]?.to.at(-1), { ipBlock: { cidr: "169.254.20.10/32" } });
  });

  it("opens no tunnel of IPv4 through IPv6, whatever the settings deny", () => {
    const settings = networkSettings.parse({ deniedCidrs: [] });
    const tunnels = { to: [{ ipBlock: { cidr: "2000::/3", except: ["2001::/32", "2002::/16"] } }] };
    assert.deepEqual(specOf({ network: settings }).egress[3], tunnels);
  });

  it("opens no internet of a family that is denied as a whole", () => {
    const settings = networkSettings.parse({ deniedCidrs: ["0.0.0.0/0", "::/0"] });
    assert.equal(specOf({ network: settings }).egress.length, 2);
  });

  for (const [name, cidr, expected] of [
    ["a range", "10.1.0.0/16", { cidr: "10.1.0.0/16" }],
    [
      "all but the metadata services in it",
      "169.254.0.0/16",
      ["169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32"],
    ],
    ["all of IPv6 but them", "fd00::/8", ["fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128"]],
    ["nothing for a metadata service alone", "169.254.169.254/32", undefined],
    ["nothing for one in IPv6", "fd00:ec2::254/128", undefined],
    ["nothing for 6to4", "2002:a00::/24", undefined],
  ] as const) {
    it(`opens by network.allow ${name}`, () => {
      const rules = rulesOf({ allow: [{ cidr, ports: [] }] });
      const block = Array.isArray(expected) ? { cidr, except: expected } : expected;
      assert.deepEqual(rules, block === undefined ? [] : [{ to: [{ ipBlock: block }] }]);
      assert.equal(isClosed(cidr), block === undefined);
    });
  }

  it("opens by network.allow only the ports that are named", () => {
    assert.deepEqual(rulesOf({ allow: [{ cidr: "10.1.0.0/16", ports: [443, 8443] }] })[0]?.ports, [
      { protocol: "TCP", port: 443 },
      { protocol: "TCP", port: 8443 },
    ]);
  });

  it("opens no rule for a name without an address, and never a metadata service by a name", () => {
    const upstreams = [{ kind: "name", host: "x.lan", port: 443 }] as const;
    assert.deepEqual(rulesOf({ upstreams }), []);
    assert.deepEqual(rulesOf({ upstreams, addresses: new Map([["x.lan", ["169.254.169.254", "no address"]]]) }), []);
  });
});
