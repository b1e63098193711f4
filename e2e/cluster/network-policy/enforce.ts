import type { Cache } from "@copepod/kube/cache/cache";
import type { Log } from "@copepod/kube/log";
import { compile } from "./compile.ts";
import type { Namespace, Pod } from "./pod.ts";
import type { Policy } from "./policy.ts";

type Read<T> = Pick<Cache<T>, "subscribe" | "values" | "whenSynced">;

export interface EnforceDeps {
  readonly pods: Read<Pod>;
  readonly namespaces: Read<Namespace>;
  readonly policies: Read<Policy>;
  /** Puts this table in the place of the last one. */
  readonly apply: (table: string) => Promise<void>;
  readonly log: Pick<Log, "info" | "warn">;
}

/**
 * Keeps the table as the caches are, until the signal aborts. One table is applied at a time, always the latest: however much
 * changes meanwhile, one more follows. What is in force when this ends stays in force.
 * @throws what `apply` throws; the last table then stays in force
 */
export async function enforce({ pods, namespaces, policies, apply, log }: EnforceDeps, signal: AbortSignal) {
  const caches = [pods, namespaces, policies];
  let bell = Promise.withResolvers<void>();
  const ring = () => bell.resolve();
  const unsubscribe = caches.map((cache) => cache.subscribe(ring));
  signal.addEventListener("abort", ring);
  try {
    await Promise.all(caches.map((cache) => cache.whenSynced(signal)));
    const report = reporter(log);
    for (let applied: string | undefined; !signal.aborted; await bell.promise) {
      bell = Promise.withResolvers();
      report(policies.values());
      const table = compile({ pods: pods.values(), namespaces: namespaces.values(), policies: policies.values() });
      if (table === applied) continue;
      await apply(table);
      if (applied === undefined) log.info({}, "policies are enforced");
      applied = table;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", ring);
    for (const end of unsubscribe) end();
  }
}

/** Each refusal is said once, and again when it has changed. */
function reporter(log: EnforceDeps["log"]): (policies: Iterable<Policy>) => void {
  let said = new Set<string>();
  return (policies) => {
    const refusals = new Set([...policies].flatMap(({ refusal }) => refusal ?? []));
    for (const refusal of refusals) if (!said.has(refusal)) log.warn({}, refusal);
    said = refusals;
  };
}
