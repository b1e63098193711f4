import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { harnessNames } from "@copepod/agent-image/harnesses/harness";
import { containers } from "@copepod/core/cluster";
import { credentialsFor, groupWith, keyPrefix } from "../harness/harness-system.ts";
import { terminalResources } from "../support/system.ts";
import { until } from "../support/until.ts";
import { ClusterSystem } from "./cluster-system.ts";
import { agentsNamespace, type Installation, patienceMs } from "./installation.ts";
import { installModel, modelUrl } from "./model.ts";

const storyTimeoutMs = 300_000;

/** The real harnesses, in pods, in front of a fake model in the cluster. */
export function tellHarnesses(its: () => Installation): void {
  const key = keyPrefix + crypto.randomUUID();

  describe("an agent in a pod", () => {
    before(async () => {
      const installation = its();
      await installModel(installation, key, await installation.version());
      const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "fake" }, stringData: { key } };
      await installation.apply([secret]);
    });

    for (const name of harnessNames) {
      it(`with ${name} works, never sees the key, sleeps, and comes back with files and conversation`, {
        timeout: storyTimeoutMs,
      }, async () => {
        const installation = its();
        const [, ...others] = terminalResources();
        const resources = [groupWith(name, { idleAfter: "5s" }), ...others, ...credentialsFor(modelUrl)];
        await using system = await ClusterSystem.start(installation, resources);
        const answer = await system.ask("main", "shell: echo made by hand > note.txt; cat note.txt; env");
        assert.match(answer, /made by hand/);
        assert.match(answer, /^COPEPOD_WORKSPACE=\/workspace/m);
        assert.ok(!answer.includes(key), "the key is not in the agent's environment");
        await assertNowhere(installation, key);
        await until("the pod is gone", async () => !(await system.hasPod()), patienceMs);
        assert.match(await system.ask("main", "shell: cat note.txt"), /made by hand/);
        assert.match(await system.ask("main", "history"), /- shell: echo made/);
      });
    }
  });
}

const search = `find / -xdev -type f -newermt 2001-01-01 -size -20M 2>/dev/null | head -20000 | xargs -d '\\n' grep -l -- "$0" 2>/dev/null;
for folder in /workspace /agent /tmp /run/copepod; do grep -rl -- "$0" $folder 2>/dev/null; done;
grep -l -- "$0" /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; true`;

/** Looks for a key in the agent's container, in logs, events and in every object but the Secret itself. */
async function assertNowhere(installation: Installation, key: string): Promise<void> {
  const [pod] = await installation.sessionPods();
  assert.ok(pod);
  const exec = ["exec", pod.metadata.name, `--namespace=${agentsNamespace}`, `--container=${containers.agent}`, "--"];
  const inContainer = await installation.ask(...exec, "sh", "-c", search, key);
  // The search finds itself.
  const found = inContainer.split("\n").filter((line) => line !== "" && !line.startsWith("/proc/"));
  assert.deepEqual(found, []);
  const kinds = "agentgroups,sessions,credentials,channels,users,configmaps,pods,events,serviceaccounts";
  assert.ok(!(await installation.ask("get", kinds, `--namespace=${agentsNamespace}`, "--output=yaml")).includes(key));
  assert.ok(!(await installation.logs()).includes(key), "logs");
}
