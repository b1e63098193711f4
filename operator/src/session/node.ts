import type { KubeObject, ObjectMeta } from "@copepod/kube/object";
import { z } from "zod";

/** What is kept of a node. */
export type NodeSeen = {
  readonly metadata: Pick<ObjectMeta, "name">;
  /** UTC ms since when the node has not been heard of; undefined while it is. */
  readonly lostSince: number | undefined;
};

const nodeSchema = z.object({
  conditions: z
    .array(z.object({ type: z.string(), status: z.string(), lastTransitionTime: z.string().nullish() }))
    .nullish(),
});

export function seeNode({ metadata: { name = "" }, status }: KubeObject): NodeSeen {
  const ready = nodeSchema.safeParse(status ?? {}).data?.conditions?.find(({ type }) => type === "Ready");
  const isLost = ready?.status === "Unknown";
  return { metadata: { name }, lostSince: isLost ? Date.parse(ready.lastTransitionTime ?? "") || 0 : undefined };
}
