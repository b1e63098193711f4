import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { apiVersion } from "@copepod/crds/definition";
import { stringify } from "yaml";
import { writeKey } from "../home/keys.ts";
import { checkKeys } from "./check-keys.ts";

describe("the keys that agent groups name", () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), "cpc-"));
  });
  afterEach(() => rm(home, { recursive: true }));

  const write = async (...resources: [kind: string, name: string, spec: object][]) => {
    await mkdir(join(home, "resources"));
    const documents = resources.map(([kind, name, spec]) => stringify({ apiVersion, kind, metadata: { name }, spec }));
    await writeFile(join(home, "resources/all.yaml"), documents.join("---\n"));
  };
  const anthropic = (secretRef: object) => ({ upstream: { api: "Anthropic" }, secretRef });

  it("are no matter where none is named", async () => {
    assert.deepEqual(await checkKeys(home), []);
    await write(["AgentGroup", "demo", {}], ["Credential", "unused", anthropic({ name: "unused" })]);
    assert.deepEqual(await checkKeys(home), []);
  });

  it("are all there when they are stored", async () => {
    await write(
      ["AgentGroup", "helper", { credentials: ["a"] }],
      ["Credential", "a", anthropic({ name: "team", key: "token" })],
    );
    assert.deepEqual(
      (await checkKeys(home)).map(({ state, cure }) => [state, cure]),
      [["bad", "`copepod keys add team --key token` stores it."]],
    );
    await writeKey(join(home, "keys"), { name: "team", key: "token" }, "s3cret");
    assert.deepEqual(await checkKeys(home), [{ check: "keys", state: "ok", detail: "all there" }]);
  });

  it("are told one by one when a Credential is missing or left out", async () => {
    await write(
      ["AgentGroup", "helper", { credentials: ["gone", "a", "b"] }],
      ["Credential", "a", { upstream: { api: "Anthropic" } }],
      ["Credential", "b", { upstream: { api: "Anthropic" } }],
    );
    assert.deepEqual(
      (await checkKeys(home)).map(({ detail }) => detail),
      [
        "AgentGroup helper names the Credential “gone”, which does not exist",
        "AgentGroup helper does not get “b”: “a” before it has POST api.anthropic.com/v1/messages already",
      ],
    );
  });
});
