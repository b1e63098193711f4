import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { kindConfig } from "./config.ts";

const render = (ownImage: Parameters<typeof kindConfig>[0]["ownImage"]) =>
  parse(kindConfig({ auditFolder: "/clusters/a/audit", ownImage }));
const patched = (config: { kubeadmConfigPatches: string[] }) =>
  config.kubeadmConfigPatches.map((patch) => parse(patch));

describe("the configuration of a kind cluster", () => {
  it("changes nothing of the official image's node but that it keeps an audit log", () => {
    const { kind, apiVersion, nodes, ...rest } = render(undefined);
    assert.deepEqual(nodes, [
      { role: "control-plane", extraMounts: [{ hostPath: "/clusters/a/audit", containerPath: "/etc/copepod-audit" }] },
    ]);
    assert.deepEqual(Object.keys(rest), ["kubeadmConfigPatches"]);
    const [audit, ...others] = patched(render(undefined));
    assert.deepEqual(others, []);
    assert.equal(audit.apiServer.extraArgs["audit-policy-file"], "/etc/copepod-audit/policy.json");
    assert.equal(audit.apiServer.extraVolumes[0].hostPath, "/etc/copepod-audit");
  });

  it("does without kindnetd and the tools of iptables, which an own image doesn't have", () => {
    const { networking, containerdConfigPatches } = render({ cgroupV1: false, noSysResource: false });
    assert.deepEqual(networking, { disableDefaultCNI: true, kubeProxyMode: "nftables" });
    assert.deepEqual(containerdConfigPatches, []);
  });

  it("gets round what the machine can't do", () => {
    const config = render({ cgroupV1: true, noSysResource: true });
    assert.deepEqual(patched(config)[1], { kind: "KubeletConfiguration", failCgroupV1: false });
    assert.match(config.containerdConfigPatches[0], /restrict_oom_score_adj = true/);
  });
});
