import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { terminalResources } from "../support/system.ts";
import { until } from "../support/until.ts";
import { ClusterSystem } from "./cluster-system.ts";
import { agentsNamespace, type Installation, isReady, patienceMs, systemNamespace } from "./installation.ts";

const reapplyEveryMs = 30_000;
const reapplyForMs = 300_000;
const samplesFolder = fileURLToPath(new URL("../../crds/samples", import.meta.url));

/** What a person applies again, or upgrades, restarts nothing. */
export function tellUpgrades(its: () => Installation): void {
  describe("an installation", () => {
    it("is upgraded and rolled back without a restart of a session", { timeout: 600_000 }, async () => {
      const installation = its();
      await using system = await ClusterSystem.start(installation, terminalResources());
      await system.ask("main", "remember the tide is high");
      const before = await sessionsLife(installation);
      const revision = await revisionOf(installation);
      await installation.upgrade({ router: { logLevel: "debug" }, operator: { logLevel: "debug" } });
      await installation.systemReady();
      assert.match(await system.ask("main", "recall"), /the tide is high/);
      await installation.helm("rollback", "copepod", revision, `--namespace=${systemNamespace}`, "--wait");
      await installation.systemReady();
      assert.match(await system.ask("main", "recall"), /the tide is high/);
      assert.deepEqual(await sessionsLife(installation), before);
    });

    it("changes nothing when all samples are applied again", async () => {
      const installation = its();
      const files = (await readdir(samplesFolder)).filter((file) => file !== "session.yaml");
      const args = files.flatMap((file) => ["--filename", join(samplesFolder, file)]);
      const apply = ["apply", `--namespace=${agentsNamespace}`, ...args];
      try {
        await installation.ask(...apply);
        const before = await generations(installation);
        const again = await installation.ask(...apply);
        assert.deepEqual(
          again.split("\n").filter((line) => line !== "" && !line.endsWith(" unchanged")),
          [],
        );
        assert.equal(await installation.ask("diff", `--namespace=${agentsNamespace}`, ...args), "");
        assert.deepEqual(await generations(installation), before);
      } finally {
        await installation.ask("delete", `--namespace=${agentsNamespace}`, "--ignore-not-found", ...args);
      }
    });

    it("does not fight with a tool that applies all again every 30 s for 5 minutes", { timeout: 600_000 }, async () => {
      const installation = its();
      await using system = await ClusterSystem.start(installation, terminalResources());
      await system.ask("main", "hello");
      const [life, before] = [await sessionsLife(installation), await generations(installation)];
      const documents = terminalResources().map((one) => ({ apiVersion: "copepod.dev/v1alpha1", ...one }));
      const until = performance.now() + reapplyForMs;
      while (performance.now() < until) {
        await installation.apply(documents);
        await new Promise((resolve) => setTimeout(resolve, reapplyEveryMs));
      }
      assert.deepEqual(await generations(installation), before);
      assert.deepEqual(await sessionsLife(installation), life);
    });
  });
}

/** The last thing that is told: nothing of the system is left, but what people decided and their files. */
export function tellUninstall(its: () => Installation): void {
  it("is uninstalled with a session that is awake, and keeps resources, volumes and kinds", async () => {
    const installation = its();
    await using system = await ClusterSystem.start(installation, terminalResources());
    await system.ask("main", "hello");
    await installation.helm("uninstall", "copepod", `--namespace=${systemNamespace}`, "--wait");
    await until("router and operator are gone", async () => {
      const all = [...(await installation.systemPods("router")), ...(await installation.systemPods("operator"))];
      return all.length === 0;
    });
    assert.match(await installation.ask("get", "agentgroups", `--namespace=${agentsNamespace}`), /helper/);
    assert.match(await installation.ask("get", "pvc", `--namespace=${agentsNamespace}`), /copepod-group-helper/);
    assert.match(await installation.ask("get", "pvc", `--namespace=${systemNamespace}`), /router/);
    await installation.upgrade({});
    await installation.systemReady();
    await system.renewToken();
    assert.match(await system.ask("main", "still there?", patienceMs), /still there\?/);
  });
}

async function revisionOf(installation: Installation): Promise<string> {
  const history = await installation.helm("history", "copepod", `--namespace=${systemNamespace}`, "--output=json");
  return String(/.*"revision":(\d+)/.exec(history)?.[1]);
}

/** Pods of sessions and how often their containers were started again. */
async function sessionsLife(installation: Installation): Promise<string[]> {
  const pods = await until(
    "the sessions' pods are ready",
    async () => {
      const all = await installation.sessionPods();
      return all.length > 0 && all.every(isReady) && all;
    },
    patienceMs,
  );
  return pods
    .map(({ metadata, status }) =>
      [metadata.uid, ...status.containerStatuses.map(({ restartCount }) => restartCount)].join(" "),
    )
    .sort();
}

async function generations(installation: Installation): Promise<string> {
  const kinds = "agentgroups,channels,wirings,users,credentials,workspaces,sessions,networkpolicies,pvc";
  const path = "--output=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation}{'\\n'}{end}";
  return await installation.ask("get", kinds, `--namespace=${agentsNamespace}`, path);
}
