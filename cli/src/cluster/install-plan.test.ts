import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseResource } from "@copepod/crds/parse";
import { valueAt } from "../output/value-at.ts";
import { type InstallAnswers, type InstallPlace, planInstall, shellLine } from "./install-plan.ts";

const answers: InstallAnswers = { model: "demo", storageClass: "", agent: "helper" };
const place: InstallPlace = {
  charts: "/charts",
  namespace: "agents",
  systemNamespace: "copepod",
  isForeign: false,
  flags: [],
  values: [],
  person: "ann",
};
const kindsOf = (given: InstallAnswers) => planInstall(given, place).resources.map(({ kind }) => kind);

describe("an installation", () => {
  it("installs kinds first, then the programs, and waits for these", () => {
    const [crds, programs] = planInstall(answers, place).helm.map(shellLine);
    const into = "--namespace copepod --create-namespace";
    assert.equal(crds, `upgrade --install copepod-crds /charts/copepod-crds ${into}`);
    assert.equal(programs, `upgrade --install copepod /charts/copepod ${into} --wait --timeout 5m`);
  });

  it("tells the chart only what differs from its defaults", () => {
    const other = { ...place, namespace: "team", isForeign: true, flags: ["--kube-context", "lab"], values: ["a=b c"] };
    const [, programs = []] = planInstall({ ...answers, storageClass: "fast" }, other).helm;
    const line = shellLine(programs);
    assert.match(line, /--kube-context lab .*--set 'agents.namespaces=\{team\}' --set agents.createNamespaces=false/);
    assert.match(line, /--set router.storage.storageClassName=fast --set 'a=b c'$/);
  });

  it("makes an agent with the person as its owner, and a credential where the model has a key", () => {
    assert.deepEqual(kindsOf(answers), ["Channel", "AgentGroup", "Wiring", "User"]);
    assert.deepEqual(kindsOf({ ...answers, model: "openai" }), [
      "Credential",
      "Channel",
      "AgentGroup",
      "Wiring",
      "User",
    ]);
  });

  it("keeps what the owner speaks as out of the namespace of agents", () => {
    const { serviceAccount, resources } = planInstall(answers, place);
    assert.deepEqual(serviceAccount.metadata, { name: "ann", namespace: "copepod" });
    const user = resources.find(({ kind }) => kind === "User");
    const own = ["ann", "copepod-admin"].map((name) => `terminal:system:serviceaccount:copepod:${name}`);
    assert.deepEqual(valueAt(user, ".spec.identities"), own);
  });

  it("makes only resources that are valid", () => {
    for (const model of ["demo", "anthropic", "claude", "openai"] as const) {
      for (const resource of planInstall({ model, storageClass: "fast", agent: "a" }, place).resources) {
        const parsed = parseResource(resource);
        assert.ok(parsed.ok, JSON.stringify(parsed));
      }
    }
  });
});
