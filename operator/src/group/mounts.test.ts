import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mountPolicySettings } from "./mount-settings.ts";
import { judgeMounts } from "./mounts.ts";

const judge = (allow: readonly object[], claimName: string, readOnly = true) =>
  judgeMounts(mountPolicySettings.parse({ allow }), "agents", [{ name: "data", claimName, readOnly }]).join();

describe("the mount policy", () => {
  for (const [name, allow, claimName, readOnly, expected] of [
    ["refuses everything by default", [], "data", true, /does not allow the claim data/],
    ["allows a claim by its name", [{ claimNames: ["data"] }], "data", true, /^$/],
    ["does not take a name for a beginning", [{ claimNames: ["data"] }], "data-1", true, /does not allow/],
    ["allows claims by their beginning", [{ claimNames: ["data-*"] }], "data-1", true, /^$/],
    ["lets nobody write where an entry is for reading", [{ claimNames: ["*"] }], "data", false, /only be read/],
    ["lets write where an entry says so", [{ claimNames: ["*"], readOnly: false }], "data", false, /^$/],
    [
      "takes the entry that allows most",
      [{ claimNames: ["*"] }, { claimNames: ["d*"], readOnly: false }],
      "d",
      false,
      /^$/,
    ],
    ["holds in the namespaces of an entry", [{ claimNames: ["*"], namespaces: ["agents"] }], "data", true, /^$/],
    ["holds in no other", [{ claimNames: ["*"], namespaces: ["others"] }], "data", true, /does not allow/],
    ["never opens a group's volume", [{ claimNames: ["*"] }], "copepod-group-b", true, /of Copepod's own/],
    ["never opens a workspace", [{ claimNames: ["copepod-*"] }], "copepod-workspace-b", true, /of Copepod's own/],
  ] as const) {
    it(name, () => assert.match(judge(allow, claimName, readOnly), expected));
  }
});
