import { group, type RefusedDocuments, resource, session } from "./documents.ts";

const workspace = (spec?: unknown) => resource("Workspace", spec);
const overrides = (podOverrides: unknown) => group({ session: { podOverrides } });
const allow = (cidr: string) => group({ network: { allow: [{ cidr }] } });
const size = (text: string) => group({ storage: { size: text } });
const reported = (status: object) => ({ ...resource("Session", { group: "g", key: { kind: "Group" } }), status });

/** What only a cluster has: accepted. */
export const acceptedInClusters: Readonly<Record<string, unknown>> = {
  "a workspace without a spec": workspace(),
  "a workspace with everything": workspace({
    size: "1Ti",
    storageClassName: "fast.example",
    accessModes: ["ReadWriteMany", "ReadWriteOnce"],
    retain: "Delete",
  }),
  "a group with a volume, workspaces and mounts": group({
    suspended: true,
    agent: { image: "localhost/copepod/agent:1", env: [{ name: "A", value: "b" }] },
    storage: { size: "500Mi", accessModes: ["ReadWriteOncePod"] },
    teamWorkspaces: [{ name: "library" }, { name: "drafts", readOnly: true }],
    mounts: [{ name: "photos", claimName: "nas.photos", readOnly: false }],
    network: { allow: [{ cidr: "10.1.0.0/16", ports: [22, 443] }, { cidr: "fd00::/8" }] },
    session: {
      retainFor: "720h",
      runtimeClassName: "gvisor",
      onNodeLost: "Force",
      resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { cpu: "1.5", memory: "2Gi" } },
    },
  }),
  "overrides of pods": overrides({
    labels: { team: "a" },
    annotations: { note: "b" },
    priorityClassName: "low",
    nodeSelector: { disk: "ssd" },
    tolerations: [{ key: "a", operator: "Exists" }],
    affinity: { nodeAffinity: {} },
    topologySpreadConstraints: [{ maxSkew: 1 }],
    imagePullSecrets: [{ name: "registry" }],
    hostUsers: false,
    schedulerName: "mine",
  }),
  "a range of one address": allow("192.168.1.1/32"),
  "a suspended session": session({ suspended: true }),
  "a session with conditions": reported({
    podName: "x-1",
    drainRequested: { epoch: 1, reason: "the image changed" },
    conditions: [
      {
        type: "Ready",
        status: "False",
        reason: "QuotaExceeded",
        message: "m",
        lastTransitionTime: "2026-01-01T00:00:00Z",
      },
    ],
  }),
};

/** What only a cluster has: refused. */
export const refusedInClusters: RefusedDocuments = {
  "a size without a unit": [size("10"), "spec.storage.size", /size such as/],
  "a size of nothing": [size("0Gi"), "spec.storage.size", /size such as/],
  "a size in halves": [size("1.5Gi"), "spec.storage.size", /size such as/],
  "no access mode": [group({ storage: { accessModes: [] } }), "spec.storage.accessModes", />=1/],
  "an unknown access mode": [
    group({ storage: { accessModes: ["Shared"] } }),
    "spec.storage.accessModes[0]",
    /ReadWriteOnce/,
  ],
  "an access mode twice": [
    workspace({ accessModes: ["ReadWriteOnce", "ReadWriteOnce"] }),
    "spec.accessModes[1]",
    /twice/,
  ],
  "an unknown way to keep": [workspace({ retain: "Always" }), "spec.retain", /Keep/],
  "a class in capitals": [workspace({ storageClassName: "Fast" }), "spec.storageClassName", /lower case/],
  "a workspace twice": [
    group({ teamWorkspaces: [{ name: "a" }, { name: "a", readOnly: true }] }),
    "spec.teamWorkspaces[1]",
    /twice/,
  ],
  "a mount of a path": [
    group({ mounts: [{ name: "a", claimName: "b", hostPath: "/etc" }] }),
    "spec.mounts[0].hostPath",
    /unknown field/,
  ],
  "a mount of nothing": [group({ mounts: [{ name: "a" }] }), "spec.mounts[0].claimName", /expected string/],
  "a name as a range": [allow("example.org/8"), "spec.network.allow[0].cidr", /range of addresses/],
  "a range that is too long": [
    allow("10.0.0.0/33"),
    "spec.network.allow[0].cidr",
    "must be a range of addresses such as 10.1.0.0/16",
  ],
  "an address without a length": [allow("10.0.0.1"), "spec.network.allow[0].cidr", /range of addresses/],
  "a port of nothing": [
    group({ network: { allow: [{ cidr: "10.0.0.0/8", ports: [0] }] } }),
    "spec.network.allow[0].ports[0]",
    />=1/,
  ],
  "an override that is not in the list": [
    overrides({ hostNetwork: true }),
    "spec.session.podOverrides.hostNetwork",
    /unknown field/,
  ],
  "an override of a container": [
    overrides({ containers: [] }),
    "spec.session.podOverrides.containers",
    /unknown field/,
  ],
  "a container's security": [
    overrides({ securityContext: {} }),
    "spec.session.podOverrides.securityContext",
    /unknown field/,
  ],
  "an amount of memory in words": [
    group({ session: { resources: { limits: { memory: "much" } } } }),
    "spec.session.resources.limits.memory",
    /amount such as/,
  ],
  "an unknown field within a condition": [
    reported({ conditions: [{ type: "Ready", colour: "red" }] }),
    "status.conditions[0].colour",
    /unknown field/,
  ],
  "an unknown field within an object of the status": [
    reported({ drainRequested: { epoch: 1, reason: "x", by: "me" } }),
    "status.drainRequested.by",
    /unknown field/,
  ],
};
