import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { readConfig } from "./config.ts";

const least = `
images:
  proxy: registry.example/proxy:1
  agents: { demo: registry.example/agent:1 }
router:
  mailboxUrl: http://copepod-router-mailbox.copepod:8081
  namespace: copepod
  podLabels: { app.kubernetes.io/component: router }
`;

async function read(settings: string, more: NodeJS.ProcessEnv = {}) {
  const folder = await mkdtemp(join(tmpdir(), "operator-config-"));
  await using _ = { [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
  const path = join(folder, "operator.yaml");
  await writeFile(path, settings);
  return readConfig({
    COPEPOD_NAMESPACES: "agents,lab,agents",
    COPEPOD_POD_NAMESPACE: "copepod",
    COPEPOD_POD_NAME: "operator-1",
    COPEPOD_OPERATOR_CONFIG: path,
    ...more,
  });
}

describe("the operator's configuration", () => {
  it("needs no more than images and router, and names each namespace once", async () => {
    const config = await read(least);
    assert.deepEqual(config.namespaces, ["agents", "lab"]);
    assert.equal(config.metricsPort, 9090);
    const { imagePullPolicy, wakesPerNode, client, session } = config.settings;
    assert.deepEqual([imagePullPolicy, wakesPerNode, client], ["IfNotPresent", 4, { qps: 50, burst: 100 }]);
    assert.deepEqual(session, { proxyResources: {}, agentResources: {}, allowedMetadata: [] });
  });

  for (const [says, settings, where] of [
    ["an unknown field", `${least}\nimagePullSecret: x`, /imagePullSecret/],
    ["a URL that is none", least.replace("http://copepod-router-mailbox.copepod:8081", "router"), /router\.mailboxUrl/],
    ["no image of the proxy", least.replace("  proxy: registry.example/proxy:1\n", ""), /images\.proxy/],
    ["a number of wakes that starts nothing", `${least}\nwakesPerNode: 0`, /wakesPerNode/],
    ["a file that is no YAML", "{", /settings can't be read/],
  ] as const) {
    it(`refuses ${says}, and names it`, async () => {
      await assert.rejects(read(settings), { code: "invalid", message: where });
    });
  }

  it("refuses names of namespaces that are none, and says which variable", async () => {
    await assert.rejects(read(least, { COPEPOD_NAMESPACES: "agents, lab" }), { message: /COPEPOD_NAMESPACES/ });
  });
});
