import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { BlockList } from "node:net";
import { describe, it } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { cniConfig, containerdConfig, kubeletConfig, network, nodeFolders } from "./config.ts";

const addons = parseAllDocuments(await readFile(new URL("addons.yaml", import.meta.url), "utf8")).map((one) =>
  one.toJS(),
);
const addon = (wanted: string) => addons.find(({ kind }) => kind === wanted);

function isIn(address: string, range: string): boolean {
  const [base = "", bits] = range.split("/");
  const list = new BlockList();
  list.addSubnet(base, Number(bits));
  return list.check(address);
}

describe("what a node's programs are told", () => {
  it("has addresses of pods, Services and the node that don't overlap", () => {
    for (const address of [network.firstService, network.dnsService]) assert.ok(isIn(address, network.services));
    for (const range of [network.services, network.pods]) assert.ok(!isIn(network.node, range));
    assert.ok(!isIn(network.firstService, network.pods));
  });

  it("sends the pods' DNS where CoreDNS is, and nothing to the DNS of the machine", () => {
    const kubelet = parse(kubeletConfig({ cgroup: "/copepod-a", clientCa: "/pki/ca.crt" }));
    assert.deepEqual(kubelet.clusterDNS, [addon("Service").spec.clusterIP]);
    assert.equal(kubelet.resolvConf, "");
  });

  it("mounts CoreDNS from where the node links to it", () => {
    assert.equal(addon("Deployment").spec.template.spec.volumes[0].hostPath.path, nodeFolders.coredns);
  });

  it("keeps the pods in the cluster's own cgroup", () => {
    assert.equal(parse(kubeletConfig({ cgroup: "/copepod-a", clientCa: "/pki/ca.crt" })).cgroupRoot, "/copepod-a");
  });

  it("gives pods addresses of their range, which the kernel routes", () => {
    const [ptp] = JSON.parse(cniConfig()).plugins;
    assert.equal(ptp.type, "ptp");
    assert.deepEqual(ptp.ipam.ranges, [[{ subnet: network.pods }]]);
  });

  it("asks no registry for the image of the sandboxes, nor lowers a score that it may not lower", () => {
    const toml = containerdConfig("localhost/pause:1", "/programs");
    assert.match(toml, /pinned_images\]\nsandbox = "localhost\/pause:1"/);
    assert.match(toml, /\n\[plugins\."io\.containerd\.cri\.v1\.runtime"\]\nrestrict_oom_score_adj = true/);
    assert.match(toml, /bin_dirs = \["\/programs"\]/);
  });

  it("has a class of volumes, which is the default and waits for a pod, and one of shared volumes", () => {
    const classes = addons.filter(({ kind }) => kind === "StorageClass");
    assert.deepEqual(
      classes.map((one) => one.metadata.name),
      ["standard", "shared"],
    );
    const { metadata, volumeBindingMode } = addon("StorageClass");
    assert.equal(metadata.name, "standard");
    assert.equal(metadata.annotations["storageclass.kubernetes.io/is-default-class"], "true");
    assert.equal(volumeBindingMode, "WaitForFirstConsumer");
  });
});
