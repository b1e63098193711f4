import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "../support/until.ts";
import { agentsNamespace, type Installation, patienceMs } from "./installation.ts";
import { type Answer, run } from "./programs.ts";

const cli = fileURLToPath(import.meta.resolve("@copepod/cli/main"));

/** The command line as a person has it: by its kubeconfig alone. */
export async function copepod(installation: Installation, ...args: readonly string[]): Promise<Answer> {
  const places = [`--kubeconfig=${installation.kubeconfig}`, `--namespace=${agentsNamespace}`];
  const env = { PATH: process.env.PATH, HOME: installation.stage.home };
  return await run({ program: process.execPath, args: [cli, ...args, ...places], env });
}

/** What a person sees first: the sample, a question, and a session that sleeps and comes back. */
export function tellFirst(its: () => Installation): void {
  describe("the sample agent group", () => {
    it("is applied, and answers a question", async () => {
      const installation = its();
      await installation.ask("apply", `--namespace=${agentsNamespace}`, "--filename", sample());
      const { code, output, complaint } = await copepod(installation, "ask", "remember the tide is high");
      assert.equal(code, 0, complaint);
      assert.match(output, /tide/);
    });

    it("shows its session, which sleeps after the idle time and comes back with what it knew", async () => {
      const installation = its();
      const table = await until(
        "the session is awake",
        async () => {
          const text = await installation.ask("get", "sessions.copepod.dev", `--namespace=${agentsNamespace}`);
          return text.includes("Awake") && text;
        },
        patienceMs,
      );
      assert.match(table, /^NAME +GROUP +PHASE +PENDING +OLDEST +LAST-ACTIVE +REASON +POD +AGE$/m);
      const [pod] = await installation.sessionPods();
      assert.ok(pod);
      const group = JSON.stringify({ spec: { session: { idleAfter: "1s" } } });
      const patch = ["patch", "agentgroups.copepod.dev", "helper", "--type=merge", `--patch=${group}`];
      await installation.ask(...patch, `--namespace=${agentsNamespace}`);
      await until("the pod is gone", async () => (await installation.sessionPods()).length === 0, patienceMs);
      const name = pod.metadata.labels["copepod.dev/session"];
      const again = await copepod(installation, "ask", `--session=${name}`, "recall");
      assert.equal(again.code, 0, again.complaint);
      assert.match(again.output, /the tide is high/);
    });
  });
}

const sample = (): string => fileURLToPath(new URL("../../charts/copepod/samples", import.meta.url));
