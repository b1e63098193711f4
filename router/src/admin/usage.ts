import { splitKey } from "@copepod/core/addresses";
import type { UsageSum } from "@copepod/core/admin-api";
import type { QueueStore, UsageQuery } from "../queue/queue-store.ts";
import type { ResourceStore, Resources } from "../resources/resource-store.ts";

interface UsageDeps {
  readonly store: Pick<QueueStore, "usage">;
  readonly resources: Pick<ResourceStore, "current">;
}

/** Sums under the names that people know: of the namespace, and with a person's identities as one. */
export async function sumUsage({ store, resources }: UsageDeps, query: UsageQuery): Promise<UsageSum[]> {
  const sums = await store.usage(query);
  switch (query.by) {
    case "group":
    case "session":
      return sums.map((sum) => ({ ...sum, key: splitKey(sum.key).name }));
    case "user":
      return mergeUsers(sums, nameOfIdentity(resources.current(), query.namespace));
    case "model":
    case "credential":
      return [...sums];
  }
}

function mergeUsers(sums: readonly UsageSum[], nameOf: ReadonlyMap<string, string>): UsageSum[] {
  const merged = new Map<string, UsageSum>();
  for (const sum of sums) {
    const key = nameOf.get(sum.key) ?? sum.key;
    const before = merged.get(key);
    merged.set(key, before ? add(before, sum) : { ...sum, key });
  }
  return [...merged.values()].sort((a, b) => b.costMicros - a.costMicros);
}

const add = (a: UsageSum, b: UsageSum): UsageSum => ({
  key: a.key,
  requests: a.requests + b.requests,
  failed: a.failed + b.failed,
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
  cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
  costMicros: a.costMicros + b.costMicros,
  unpriced: a.unpriced + b.unpriced,
});

const nameOfIdentity = ({ users }: Resources, namespace: string): ReadonlyMap<string, string> =>
  new Map(
    [...users.values()]
      .filter(({ metadata }) => metadata.namespace === namespace)
      .flatMap(({ metadata, spec }) => spec.identities.map((identity): [string, string] => [identity, metadata.name])),
  );
