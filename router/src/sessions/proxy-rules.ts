import { defaultNamespace, keyOf, splitKey } from "@copepod/core/addresses";
import type { Problem } from "@copepod/core/admin-api";
import type { AgentGroup } from "@copepod/crds/agent-group";
import { type RenderedRules, renderProxyRules } from "@copepod/crds/proxy-rules";
import type { Logger } from "pino";
import type { QueueStore } from "../queue/queue-store.ts";
import type { ResourceStore, Resources } from "../resources/resource-store.ts";
import type { WishWriter } from "./wish-writer.ts";

/** The rules of a group's sessions, as the resources say now; none for a group that does not exist. @param group row key */
export function groupRules({ agentGroups, credentials }: Resources, group: string): RenderedRules {
  const found = agentGroups.get(group);
  if (found) return renderProxyRules(found, credentials);
  return { rules: { group: splitKey(group).name, upstreams: [], rules: [] }, missing: [], overlapping: [] };
}

/** Credentials that agent groups name and do not get. */
export function credentialProblems({ agentGroups, credentials }: Resources): Problem[] {
  return [...agentGroups.values()].flatMap((group) => {
    const { missing, overlapping } = renderProxyRules(group, credentials);
    return [
      ...missing.map((name) => problemOf(group, name, `the Credential “${name}” does not exist`)),
      ...overlapping.map((one) =>
        problemOf(group, one.name, `“${one.name}” is left out: “${one.with}” before it has ${one.where} already`),
      ),
    ];
  });
}

function problemOf({ metadata, spec }: AgentGroup, credential: string, reason: string): Problem {
  const { namespace, name } = metadata;
  return {
    namespace,
    file: `AgentGroup ${namespace === defaultNamespace ? name : keyOf(namespace, name)}`,
    path: `spec.credentials[${spec.credentials.indexOf(credential)}]`,
    reason,
  };
}

interface RulesTellerDeps {
  readonly store: Pick<QueueStore, "wishes" | "endBackOff">;
  readonly resources: Pick<ResourceStore, "current">;
  readonly wishes: Pick<WishWriter, "poke">;
  readonly log: Pick<Logger, "warn" | "error">;
}

/**
 * @returns to be called after a change of the resources: says the rules of running sessions again where they changed, and lets
 * sessions start at once whose group was missing.
 */
export function createRulesTeller({ store, resources, wishes, log }: RulesTellerDeps): () => void {
  let said = textsOf(resources.current());
  const tell = async (changed: ReadonlySet<string>, appeared: readonly string[]) => {
    for (const group of appeared) await store.endBackOff(group);
    for (const { session, group, wanted } of await store.wishes()) {
      if (wanted && changed.has(group)) wishes.poke(session);
    }
  };
  return () => {
    const present = resources.current();
    for (const { file, path, reason } of credentialProblems(present))
      log.warn({ file, path, reason }, "an agent group does not get a credential that it names");
    const texts = textsOf(present);
    const changed = changedKeys(said, texts);
    const appeared = [...changed].filter((group) => !said.has(group));
    said = texts;
    if (changed.size === 0) return;
    tell(changed, appeared).catch((err: unknown) =>
      log.error({ err }, "could not say the rules of running sessions again"),
    );
  };
}

const textsOf = ({ agentGroups, credentials }: Resources): ReadonlyMap<string, string> =>
  new Map(
    [...agentGroups.values()].map((group) => [
      keyOf(group.metadata.namespace, group.metadata.name),
      JSON.stringify(renderProxyRules(group, credentials).rules),
    ]),
  );

function changedKeys(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): ReadonlySet<string> {
  return new Set([...before.keys(), ...after.keys()].filter((key) => before.get(key) !== after.get(key)));
}
