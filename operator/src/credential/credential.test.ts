import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judgeSecret } from "./credential.ts";

const ref = { name: "model", key: "key" };

describe("a Credential", () => {
  for (const [name, given, keys, expected] of [
    ["without a Secret is ready", undefined, [], "True Ready"],
    ["whose Secret has the key is ready", ref, ["other", "key"], "True Ready"],
    ["whose Secret is not there says so", ref, "missing", "False SecretMissing"],
    ["whose Secret may not be looked at is not judged", ref, "notAllowed", "Unknown NotChecked"],
    ["whose Secret lacks the key says so", ref, ["other"], "False KeyMissing"],
  ] as const) {
    it(name, () => {
      const { status, reason } = judgeSecret(given, keys);
      assert.equal(`${status} ${reason}`, expected);
    });
  }
});
