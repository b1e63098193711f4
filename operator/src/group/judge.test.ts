import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { agentGroupSchema } from "@copepod/crds/agent-group";
import { type GroupView, judgeGroup } from "./judge.ts";

const saying = (status: string, reason = "SecretMissing") => ({
  status: { conditions: [{ type: "Ready", status, reason, message: "Do it.", lastTransitionTime: "" }] },
});
const nothingSaid = { status: {} };

/** Conditions of a group of which all is well but for what is given. */
function conditions(spec: object, view: Partial<GroupView> = {}): Readonly<Record<string, string>> {
  const group = agentGroupSchema.parse({
    ...{ apiVersion: "copepod.dev/v1alpha1", kind: "AgentGroup", metadata: { name: "a" }, spec },
  });
  const verdicts = judgeGroup({
    ...{ spec: group.spec, foreign: [], old: [], rendered: { missing: [], overlapping: [] }, unresolved: [] },
    volume: { type: "VolumeReady", status: "Unknown", reason: "Pending", message: "" },
    ...{ credentials: new Map(), workspaces: new Map(), refusedMounts: [], foreignPolicies: [], ...view },
  });
  return Object.fromEntries(verdicts.map(({ type, status, reason }) => [type, `${status} ${reason}`]));
}

const well = {
  ...{ Ready: "True Ready", VolumeReady: "Unknown Pending", CredentialsReady: "True Ready" },
  EgressRestricted: "True Restricted",
};
const named = { credentials: ["c"], teamWorkspaces: [{ name: "w" }], mounts: [{ name: "m", claimName: "m" }] };
const there = {
  credentials: new Map([["c", saying("True", "Ready")]]),
  workspaces: new Map([["w", saying("True", "Ready")]]),
};

describe("what is said of an agent group", () => {
  it("is no more than there is to say", () => assert.deepEqual(conditions({}), well));

  it("has a word for all that the group names", () => {
    const all = { ...well, MountsAllowed: "True Allowed", WorkspacesReady: "True Ready" };
    assert.deepEqual(conditions(named, there), all);
  });

  for (const [name, type, expected, spec, view] of [
    [
      "a Credential that is not there",
      "CredentialsReady",
      "False Missing",
      named,
      { rendered: { missing: ["c"], overlapping: [] } },
    ],
    [
      "one that another covers",
      "CredentialsReady",
      "False Overlapping",
      named,
      { rendered: { missing: [], overlapping: [{ name: "c", with: "d", where: "/x" }] } },
    ],
    [
      "one without its Secret",
      "CredentialsReady",
      "False SecretMissing",
      named,
      { credentials: new Map([["c", saying("False")]]) },
    ],
    [
      "one that nobody has looked at yet",
      "CredentialsReady",
      "Unknown Checking",
      named,
      { credentials: new Map([["c", nothingSaid]]) },
    ],
    [
      "one whose Secret may not be looked at",
      "CredentialsReady",
      "Unknown NotChecked",
      named,
      { credentials: new Map([["c", saying("Unknown", "NotChecked")]]) },
    ],
    ["a host without an address", "CredentialsReady", "False HostUnresolved", named, { unresolved: ["x.lan"] }],
    ["a Workspace that is not there", "WorkspacesReady", "False Missing", named, { workspaces: new Map() }],
    [
      "one that is not good",
      "WorkspacesReady",
      "False Lost",
      named,
      { workspaces: new Map([["w", saying("False", "Lost")]]) },
    ],
    ["a mount that is refused", "MountsAllowed", "False MountRefused", named, { refusedMounts: ["No."] }],
    ["a policy of somebody else's", "EgressRestricted", "False ForeignPolicy", {}, { foreignPolicies: ["open"] }],
  ] as const satisfies readonly (readonly [string, string, string, object, Partial<GroupView>])[]) {
    it(`names ${name}, and Ready repeats what is wrong`, () => {
      const said = conditions(spec, { ...there, ...view });
      assert.equal(said[type], expected);
      assert.equal(said.Ready, expected.startsWith("False") ? expected : "True Ready");
    });
  }

  it("is first whose name is taken, then that it is suspended, then what is wrong", () => {
    const wrong = { foreignPolicies: ["open"] };
    assert.equal(conditions({ suspended: true }, { ...wrong, foreign: ["ConfigMap x"] }).Ready, "False Conflict");
    assert.equal(conditions({}, { ...wrong, old: ["ConfigMap x"] }).Ready, "Unknown Replacing");
    assert.equal(conditions({ suspended: true }, wrong).Ready, "False Suspended");
    assert.equal(conditions({}, wrong).Ready, "False ForeignPolicy");
  });
});
