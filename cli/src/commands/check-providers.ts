import { type HarnessName, harnessNames, isInstalled } from "@copepod/agent-image/harnesses/harness";
import {
  findUpstream,
  isProvider,
  knownProviders,
  type ProviderNeeds,
  providerNeeds,
  wantedCredential,
} from "@copepod/agent-image/providers/needs";
import { keyOf } from "@copepod/core/addresses";
import type { UpstreamRule } from "@copepod/core/proxy-rules";
import type { AgentGroup } from "@copepod/crds/agent-group";
import { renderProxyRules } from "@copepod/crds/proxy-rules";
import type { CliConfig } from "../config.ts";
import { homeLayout } from "../home/layout.ts";
import { readResources } from "../home/read-resources.ts";
import type { Finding } from "./finding.ts";

/** An agent group, and the model APIs that its sessions get. */
interface Group {
  readonly name: string;
  readonly agent: AgentGroup["spec"]["agent"];
  readonly upstreams: readonly UpstreamRule[];
}

/** Whether the agent groups have what their providers need. */
export interface ProviderFindings {
  readonly findings: readonly Finding[];
  /** A group has a provider that runs commands. */
  readonly needsSandbox: boolean;
}

export async function checkProviders({ home, harnessesDir }: CliConfig): Promise<ProviderFindings> {
  const groups = await readGroups(homeLayout(home).resources);
  const harnesses = usedHarnesses(groups);
  const faults = groups.flatMap(faultsOf);
  const all: Finding = { check: "providers", state: "ok", detail: "each agent group has what its provider needs" };
  return {
    findings: [
      ...checkHarnesses(harnesses, harnessesDir),
      ...(groups.length > 0 && faults.length === 0 ? [all] : faults),
    ],
    needsSandbox: harnesses.length > 0,
  };
}

async function readGroups(resources: string): Promise<readonly Group[]> {
  const all = (await readResources(resources)) ?? [];
  const credentials = new Map(
    all
      .filter((resource) => resource.kind === "Credential")
      .map((one) => [keyOf(one.metadata.namespace, one.metadata.name), one]),
  );
  return all
    .filter((resource) => resource.kind === "AgentGroup")
    .map((group) => ({
      name: group.metadata.name,
      agent: group.spec.agent,
      upstreams: renderProxyRules(group, credentials).rules.upstreams,
    }));
}

const usedHarnesses = (groups: readonly Group[]): readonly HarnessName[] =>
  harnessNames.filter((name) =>
    groups.some(({ agent: { provider } }) => isProvider(provider) && providerNeeds[provider].harness === name),
  );

function checkHarnesses(used: readonly HarnessName[], harnessesDir: string): readonly Finding[] {
  const installed = harnessNames.filter((name) => isInstalled(harnessesDir, name));
  const missing = used.filter((name) => !installed.includes(name));
  if (missing.length > 0) return missing.map(uninstalledFinding);
  return [{ check: "harnesses", state: "ok", detail: installed.join(", ") || "none installed, none used" }];
}

const uninstalledFinding = (name: HarnessName): Finding => ({
  check: "harnesses",
  state: "bad",
  detail: `an agent group uses ${name}, which is not installed`,
  cure: `\`copepod provider add ${name}\` installs it.`,
});

function faultsOf({ name, agent: { provider, model }, upstreams }: Group): readonly Finding[] {
  const bad = (detail: string, cure: string): Finding => ({
    check: "providers",
    state: "bad",
    detail: `AgentGroup ${name} ${detail}`,
    cure,
  });
  if (!isProvider(provider)) {
    return [bad(`names the provider “${provider}”, which does not exist`, `There are: ${knownProviders}.`)];
  }
  const { apis, needsModel }: ProviderNeeds = providerNeeds[provider];
  const lacksApi = apis.length > 0 && !findUpstream(provider, upstreams);
  const lacksModel = needsModel && model === undefined;
  return [
    ...(lacksApi
      ? [
          bad(
            `gets no Credential that ${provider} can use`,
            `Name a Credential with ${wantedCredential(provider)} in spec.credentials.`,
          ),
        ]
      : []),
    ...(lacksModel ? [bad(`names no model, which ${provider} needs`, "Name it in spec.agent.model.")] : []),
  ];
}
