import { labels } from "@copepod/core/cluster";
import type { AgentGroup } from "@copepod/crds/agent-group";
import { isRecord } from "@copepod/kube/object";

type PodOverrides = NonNullable<AgentGroup["spec"]["session"]["podOverrides"]>;

interface Template {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly spec: Readonly<Record<string, unknown>>;
}

interface Own {
  /** Of the installation. */
  readonly imagePullSecrets: readonly string[];
  readonly sharesNode: string | undefined;
}

/** What a group may say of its pods comes first, and our own fields over it. Pure; `assertSafePod` looks at the outcome. */
export function withOverrides<T extends Template>(template: T, overrides: PodOverrides, own: Own) {
  const { labels: moreLabels, annotations: moreAnnotations, imagePullSecrets = [], affinity, ...spec } = overrides;
  const pullSecrets = new Set([...own.imagePullSecrets, ...imagePullSecrets.map(({ name }) => name)]);
  const neighbours = withNeighbours(affinity, own.sharesNode);
  return {
    metadata: {
      ...template.metadata,
      labels: { ...textsOf(moreLabels), ...template.metadata.labels },
      annotations: { ...textsOf(moreAnnotations), ...template.metadata.annotations },
    },
    spec: {
      ...spec,
      ...(pullSecrets.size === 0 ? {} : { imagePullSecrets: [...pullSecrets].map((name) => ({ name })) }),
      ...(neighbours === undefined ? {} : { affinity: neighbours }),
      ...template.spec,
    },
  };
}

/** What is no text as one: the API server says whether it is a label. */
const textsOf = (values: Readonly<Record<string, unknown>> = {}): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, String(value)]));

/** One term only: of several, a new pod would have to fit one running pod by all of them. */
function withNeighbours(affinity: PodOverrides["affinity"], sharesNode: string | undefined) {
  if (sharesNode === undefined) return affinity;
  const required = "requiredDuringSchedulingIgnoredDuringExecution";
  const podAffinity = isRecord(affinity?.podAffinity) ? affinity.podAffinity : {};
  const theirs = podAffinity[required];
  const term = {
    labelSelector: { matchLabels: { [labels.sharesNode]: sharesNode } },
    topologyKey: "kubernetes.io/hostname",
  };
  return { ...affinity, podAffinity: { ...podAffinity, [required]: [...(Array.isArray(theirs) ? theirs : []), term] } };
}
