import { keyOf, splitKey } from "@copepod/core/addresses";
import { durationMs } from "@copepod/crds/duration";
import type { ResourceStore } from "../resources/resource-store.ts";

/** For sessions whose agent group was deleted: they end soon, and none starts. */
const withoutGroup = { idleAfterMs: 0, maxRunning: 0 };

/** Limits of agent groups, as the resources say now. */
export class GroupLimits {
  readonly #resources: Pick<ResourceStore, "current">;

  constructor(resources: Pick<ResourceStore, "current">) {
    this.#resources = resources;
  }

  /** @param group row key of the AgentGroup */
  of(group: string): { readonly idleAfterMs: number; readonly maxRunning: number } {
    const { namespace, name } = splitKey(group);
    const found = this.#resources.current().agentGroups.get(keyOf(namespace, name));
    if (!found) return withoutGroup;
    const { idleAfter, maxRunning } = found.spec.session;
    return { idleAfterMs: durationMs(idleAfter), maxRunning };
  }
}
