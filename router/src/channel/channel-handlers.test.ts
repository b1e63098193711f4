import assert from "node:assert/strict";
import { it } from "node:test";
import { buildResources } from "../resources/testing.ts";
import { requireHosted } from "./channel-handlers.ts";

const resources = buildResources([
  { kind: "Channel", metadata: { name: "terminal" }, spec: { type: "terminal" } },
  { kind: "Channel", metadata: { name: "telegram" }, spec: { type: "telegram" } },
]);

it("no host speaks for a channel that the router serves itself", () => {
  assert.equal(requireHosted(resources, "default/telegram"), "default/telegram");
  assert.throws(() => requireHosted(resources, "default/terminal"), { code: "unauthorized" });
});
