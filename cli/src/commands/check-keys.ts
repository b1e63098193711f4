import { keyOf } from "@copepod/core/addresses";
import type { Rule } from "@copepod/core/proxy-rules";
import type { Credential } from "@copepod/crds/credential";
import type { Resource } from "@copepod/crds/kinds";
import { renderProxyRules } from "@copepod/crds/proxy-rules";
import { defaultKey, hasKey, type KeyRef } from "../home/keys.ts";
import { homeLayout } from "../home/layout.ts";
import { readResources } from "../home/read-resources.ts";
import type { Finding } from "./finding.ts";

/** Whether the agent groups get the keys that they name. @returns nothing where none names any */
export async function checkKeys(home: string): Promise<Finding[]> {
  const { resources, keys } = homeLayout(home);
  const all = (await readResources(resources)) ?? [];
  const credentials = byKey(all.filter((resource) => resource.kind === "Credential"));
  const groups = all
    .filter((resource) => resource.kind === "AgentGroup")
    .filter(({ spec }) => spec.credentials.length > 0)
    .map((group) => ({ name: group.metadata.name, rendered: renderProxyRules(group, credentials) }));
  const findings = [
    ...groups.flatMap(({ name, rendered }) => rendered.missing.map((one) => missingFinding(name, one))),
    ...groups.flatMap(({ name, rendered }) => rendered.overlapping.map((one) => overlapFinding(name, one))),
    ...(await lackingFindings(
      keys,
      groups.flatMap(({ rendered }) => rendered.rules.rules),
    )),
  ];
  if (groups.length > 0 && findings.length === 0) return [{ check: "keys", state: "ok", detail: "all there" }];
  return findings;
}

async function lackingFindings(keys: string, rules: readonly Rule[]): Promise<Finding[]> {
  const lacking = new Map<string, KeyRef>();
  for (const { credential, secret } of rules) {
    if (secret && !(await hasKey(keys, secret))) lacking.set(credential, secret);
  }
  return [...lacking].map(([credential, ref]) => lackingFinding(credential, ref));
}

const missingFinding = (group: string, name: string): Finding => ({
  check: "keys",
  state: "bad",
  detail: `AgentGroup ${group} names the Credential “${name}”, which does not exist`,
  cure: `Apply it (\`copepod keys add\` makes those of well-known APIs), or mend the name.`,
});

const overlapFinding = (group: string, one: { name: string; with: string; where: string }): Finding => ({
  check: "keys",
  state: "bad",
  detail: `AgentGroup ${group} does not get “${one.name}”: “${one.with}” before it has ${one.where} already`,
  cure: "Name one of the two, or let their `match` differ.",
});

const lackingFinding = (credential: string, { name, key }: KeyRef): Finding => ({
  check: "keys",
  state: "bad",
  detail: `the Credential “${credential}” refers to the key ${name}/${key}, which is not stored`,
  cure: `\`copepod keys add ${name}${key === defaultKey ? "" : ` --key ${key}`}\` stores it.`,
});

const byKey = (credentials: readonly Extract<Resource, { kind: "Credential" }>[]): ReadonlyMap<string, Credential> =>
  new Map(credentials.map((one) => [keyOf(one.metadata.namespace, one.metadata.name), one]));
