import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { labels } from "@copepod/core/cluster";
import { CopepodError } from "@copepod/core/errors";
import { agentGroupSchema } from "@copepod/crds/agent-group";
import { apiVersion } from "@copepod/crds/definition";
import { podFor } from "./pod.ts";
import { assertSafePod } from "./safe-pod.ts";
import { group, plan } from "./testing/samples.ts";

const wake = { epoch: 5, placeholder: "placeholder-placeholder" };
const podWith = (podOverrides: object) => podFor(plan({ group: group({ session: { podOverrides } }) }), wake);
const refusal = (act: () => void): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof CopepodError && error.code === "forbidden") return error.message;
    throw error;
  }
  return "none";
};

const harmless = {
  labels: { team: "red" },
  annotations: { note: "x" },
  priorityClassName: "low",
  nodeSelector: { disk: "fast" },
  tolerations: [{ key: "gpu", operator: "Exists" }],
  affinity: { nodeAffinity: {}, podAntiAffinity: {} },
  topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway" }],
  imagePullSecrets: [{ name: "registry" }],
  hostUsers: false,
  schedulerName: "other",
};

/** What the kind itself refuses: a closed list. */
const unknownOverrides: readonly object[] = [
  { hostNetwork: true },
  { hostPID: true },
  { hostIPC: true },
  { shareProcessNamespace: true },
  { serviceAccountName: "admin" },
  { automountServiceAccountToken: true },
  { securityContext: { runAsUser: 0 } },
  { containers: [] },
  { initContainers: [{ name: "x", image: "x" }] },
  { ephemeralContainers: [] },
  { volumes: [{ name: "root", hostPath: { path: "/" } }] },
  { nodeName: "node-1" },
  { restartPolicy: "Never" },
  { terminationGracePeriodSeconds: 0 },
  { dnsPolicy: "None", dnsConfig: { nameservers: ["10.0.0.1"] } },
  { hostAliases: [{ ip: "10.0.0.1", hostnames: ["api.example.org"] }] },
  { enableServiceLinks: true },
  { overhead: {} },
  { resourceClaims: [] },
  { setHostnameAsFQDN: true },
  { priority: 2_000_000_000 },
];

/** What the kind can't tell, and the pod may not have. */
const unsafeOverrides: readonly object[] = [
  { labels: { "copepod.dev/workspace": "x" } },
  { labels: { "copepod.dev/kept": "true" } },
  { labels: { "sub.copepod.dev/x": "y" } },
  { annotations: { "copepod.dev/term": "9" } },
  { annotations: { "copepod.dev/decided-in": "chat" } },
  { annotations: { "container.apparmor.security.beta.kubernetes.io/agent": "unconfined" } },
  { annotations: { "seccomp.security.alpha.kubernetes.io/pod": "unconfined" } },
  { annotations: { "container.seccomp.security.alpha.kubernetes.io/agent": "unconfined" } },
  { annotations: { "k8s.v1.cni.cncf.io/networks": "host" } },
  { annotations: { "v1.multus-cni.io/default-network": "host" } },
  { annotations: { "io.kubernetes.cri-o.userns-mode": "private" } },
  { annotations: { "io.kubernetes.cri-o/Devices": "/dev/sda" } },
  { annotations: { "io.katacontainers.config.hypervisor/kernel": "/x" } },
  { annotations: { "dev.gvisor.spec/mount": "/" } },
  { annotations: { "cdi.k8s.io/device": "gpu" } },
  { annotations: { "vault.hashicorp.com/agent-inject": "true" } },
  { annotations: { "iam.amazonaws.com/role": "admin" } },
  { annotations: { "cni.projectcalico.org/allowedSourcePrefixes": "[]" } },
  { labels: { "azure.workload.identity/use": "true" } },
  { labels: { "sidecar.istio.io/inject": "true" } },
  { labels: { "app.kubernetes.io/part-of": "chat" } },
  { priorityClassName: "system-node-critical" },
  { priorityClassName: "system-cluster-critical" },
  { affinity: { nodeAffinity: {}, other: {} } },
  { nodeSelector: { "kubernetes.io/hostname": 1 } },
];

/** What tries to take the place of a field of ours. */
const overridden: readonly object[] = [
  { labels: { [labels.session]: "other" } },
  { labels: { [labels.group]: "other" } },
  { labels: { [labels.component]: "janitor" } },
  { labels: { [labels.managedBy]: "somebody" } },
  { annotations: { "copepod.dev/template": "x", "copepod.dev/rules": "y" } },
  { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: "none" } } },
];

describe("what an agent group may say of its pods", () => {
  it("is everything that a closed list names", () => {
    const pod = podWith(harmless);
    assertSafePod(pod);
    assert.deepEqual(pod.spec, { ...Object(podWith({}).spec), ...Object(pod.spec) });
    for (const field of ["priorityClassName", "nodeSelector", "tolerations", "hostUsers", "schedulerName"] as const) {
      assert.deepEqual(Object(pod.spec)[field], harmless[field]);
    }
    assert.equal(pod.metadata.labels?.team, "red");
  });

  it("includes the names that the installation allows, never Copepod's own", () => {
    const allowed = ["scheduling.example.org/", "copepod.dev/"];
    assertSafePod(podWith({ annotations: { "scheduling.example.org/zone": "a" } }), allowed);
    const own = podWith({ annotations: { "copepod.dev/term": "9" } });
    assert.match(
      refusal(() => assertSafePod(own, allowed)),
      /copepod\.dev\/term/,
    );
  });

  for (const podOverrides of unknownOverrides) {
    it(`is nothing else: ${JSON.stringify(podOverrides)}`, () => {
      const document = {
        ...{ apiVersion, kind: "AgentGroup", metadata: { name: "helper" } },
        spec: { session: { podOverrides } },
      };
      assert.equal(agentGroupSchema.safeParse(document).success, false);
      // And if a kind of a later version lets it through, or a fault of ours does:
      const { metadata, spec, ...rest } = podFor(plan(), wake);
      const merged = { ...rest, metadata, spec: { ...Object(spec), ...podOverrides } };
      assert.notEqual(
        refusal(() => assertSafePod(merged)),
        "none",
      );
    });
  }

  for (const podOverrides of unsafeOverrides) {
    it(`must not make the pod another one: ${JSON.stringify(podOverrides)}`, () => {
      assert.match(
        refusal(() => assertSafePod(podWith(podOverrides))),
        /^The pod would not be safe; mend podOverrides\. (metadata|spec)/,
      );
    });
  }

  for (const podOverrides of overridden) {
    it(`does not replace what is ours: ${JSON.stringify(podOverrides)}`, () => {
      const [pod, own] = [podWith(podOverrides), podWith({})];
      assertSafePod(pod);
      assert.deepEqual(pod, own);
    });
  }
});

/** One field of a good pod that is changed, whoever did it. */
const changes: readonly (readonly [path: string, value: unknown])[] = [
  ["metadata.name", "helper-2-5"],
  ["metadata.labels.copepod~dev/session", "other"],
  ["metadata.labels.copepod~dev/component", "janitor"],
  ["metadata.labels.app~kubernetes~io/managed-by", "somebody"],
  ["metadata.ownerReferences.0.name", "other"],
  ["metadata.ownerReferences.0.controller", false],
  ["metadata.finalizers", ["x/y"]],
  ["spec.serviceAccountName", "copepod-group-other"],
  ["spec.securityContext.fsGroup", 0],
  ["spec.securityContext.seccompProfile.type", "Unconfined"],
  ["spec.securityContext.runAsNonRoot", false],
  ["spec.securityContext.sysctls", [{ name: "kernel.msgmax", value: "1" }]],
  ["spec.containers.0.securityContext.privileged", true],
  ["spec.containers.0.securityContext.runAsUser", 0],
  ["spec.containers.1.securityContext.runAsUser", 10_002],
  ["spec.containers.1.securityContext.runAsGroup", 0],
  ["spec.containers.1.securityContext.capabilities.add", ["NET_ADMIN"]],
  ["spec.containers.1.securityContext.capabilities.drop", []],
  ["spec.containers.1.securityContext.allowPrivilegeEscalation", true],
  ["spec.containers.1.securityContext.readOnlyRootFilesystem", false],
  ["spec.containers.1.securityContext.procMount", "Unmasked"],
  ["spec.containers.1.lifecycle", { postStart: { exec: { command: ["sh"] } } }],
  ["spec.containers.1.ports", [{ containerPort: 80, hostPort: 80 }]],
  ["spec.containers.1.envFrom", [{ secretRef: { name: "keys" } }]],
  ["spec.containers.1.env.0", { name: "KEY", valueFrom: { secretKeyRef: { name: "keys", key: "key" } } }],
  ["spec.containers.1.volumeDevices", []],
  ["spec.containers.1.volumeMounts.0.readOnly", undefined],
  ["spec.containers.1.volumeMounts.0.mountPropagation", "Bidirectional"],
  ["spec.containers.1.volumeMounts.1", { name: "token", mountPath: "/tmp" }],
  ["spec.containers.1.volumeMounts.1", { name: "keys", mountPath: "/tmp" }],
  ["spec.containers.1.volumeMounts.1", { name: "tmp", mountPath: "/workspace/nested" }],
  ["spec.containers.1.volumeMounts.2.subPath", "sessions/../other"],
  ["spec.containers.1.volumeMounts.2.subPathExpr", "$(HOME)"],
  ["spec.containers.2", { name: "third", image: "x" }],
  ["spec.volumes.0", { name: "run", hostPath: { path: "/" } }],
  ["spec.volumes.2.projected.sources.0.serviceAccountToken.audience", "https://kubernetes.default.svc"],
  ["spec.volumes.2.projected.sources.0.serviceAccountToken.expirationSeconds", 86_400],
  ["spec.volumes.3", { name: "rules", secret: { secretName: "keys" } }],
  ["spec.volumes.5", { name: "files", csi: { driver: "x" } }],
];

describe("a session's pod", () => {
  it("is safe as it is made", () => assertSafePod(podFor(plan(), wake)));

  for (const [path, value] of changes) {
    it(`is not with ${path} = ${JSON.stringify(value)}`, () => {
      const pod = structuredClone(podFor(plan(), wake));
      set(pod, path, value);
      assert.notEqual(
        refusal(() => assertSafePod(pod)),
        "none",
      );
    });
  }
});

function set(root: object, path: string, value: unknown): void {
  const keys = path.split(".").map((key) => key.replaceAll("~", "."));
  const last = keys.pop() ?? "";
  const parent = keys.reduce<unknown>((at, key) => Reflect.get(Object(at), key), root);
  Reflect.set(Object(parent), last, value);
}
