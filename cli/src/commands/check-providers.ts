import { join } from "node:path";
import { type HarnessName, harnessNames, isInstalled } from "@copepod/agent-image/harnesses/harness";
import type { CliConfig } from "../config.ts";
import { readResources } from "../home/read-resources.ts";
import type { Finding } from "./doctor.ts";

/** Whether the harnesses that agent groups use are installed. */
export async function checkHarnesses({ home, harnessesDir }: CliConfig): Promise<Finding[]> {
  const used = await usedHarnesses(join(home, "resources"));
  const installed = harnessNames.filter((name) => isInstalled(harnessesDir, name));
  const missing = used.filter((name) => !installed.includes(name));
  const list: Finding = {
    check: "harnesses",
    state: "ok",
    detail: installed.join(", ") || "none installed, none used",
  };
  return missing.length > 0 ? missing.map(missingFinding) : [list];
}

async function usedHarnesses(resources: string): Promise<readonly HarnessName[]> {
  const groups = ((await readResources(resources)) ?? []).filter((resource) => resource.kind === "AgentGroup");
  return harnessNames.filter((name) => groups.some(({ spec }) => spec.agent.provider === name));
}

const missingFinding = (name: HarnessName): Finding => ({
  check: "harnesses",
  state: "bad",
  detail: `an agent group uses ${name}, which is not installed`,
  cure: `\`copepod provider add ${name}\` installs it.`,
});
