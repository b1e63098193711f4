import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runCli } from "../testing/run-cli.ts";
import { isForCluster } from "./options.ts";

describe("what a command works on", () => {
  const cases: [string, object, boolean][] = [
    ["copepod", {}, false],
    ["copepod", { home: "/x", output: "json" }, false],
    ["main.ts", {}, false],
    ["kubectl-copepod", {}, true],
    ["copepod", { cluster: true }, true],
    ["copepod", { namespace: "agents" }, true],
    ["copepod", { tokenFile: "/x" }, true],
  ];
  for (const [name, given, expected] of cases) {
    const what = expected ? "a cluster" : "this machine";
    it(`is ${what} for ${name} with ${JSON.stringify(given)}`, () => assert.equal(isForCluster(name, given), expected));
  }

  it("is said before or behind the command", async () => {
    const noKubeconfig = /there is no kubeconfig/;
    assert.match((await runCli(["-n", "agents", "get", "cpag"])).stderr, noKubeconfig);
    assert.match((await runCli(["get", "cpag", "-o", "wide", "-n", "agents"])).stderr, noKubeconfig);
    assert.match((await runCli(["status"], { programName: "kubectl-copepod" })).stderr, noKubeconfig);
    assert.match((await runCli(["logs", "router"])).stderr, noKubeconfig);
    assert.match((await runCli(["status"])).stderr, /no Copepod runs/);
  });

  it("is refused where both can't be", async () => {
    const { code } = await runCli(["--service-account", "ann", "--token-file", "/x", "status"]);
    assert.equal(code, 2);
  });
});
