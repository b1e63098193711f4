import { createHash } from "node:crypto";
import { posix } from "node:path";
import {
  annotations,
  audiences,
  containers,
  groupObjectName,
  labels,
  operatorName,
  podIds,
  podNameOf,
  podPaths,
  ports,
  rulesKey,
} from "@copepod/core/cluster";
import { environment } from "@copepod/core/environment";
import type { AgentGroup } from "@copepod/crds/agent-group";
import { controllingOwner } from "@copepod/kube/controller/owners";
import { type HasMetadata, isRecord, type KubeObject } from "@copepod/kube/object";
import type { Settings } from "../config.ts";
import { sessions } from "../resources.ts";
import { graceSeconds, readinessPeriodSeconds, runVolumeSize, temporaryVolumeSize, tokenSeconds } from "./limits.ts";
import { withOverrides } from "./overrides.ts";
import { agentMounts, type VolumePlan, volumesOf } from "./volumes.ts";

/** All that a pod is made from, beside its epoch. */
export interface PodPlan {
  readonly session: HasMetadata;
  readonly group: AgentGroup;
  readonly agentImage: string;
  readonly volumes: VolumePlan;
  /** See `labels.sharesNode`; undefined where any node will do. */
  readonly sharesNode: string | undefined;
  /** UID of the service account: tokens of a running pod are worth nothing once it was made anew. */
  readonly account: string;
  /** Hash of the rules that the proxy starts with. */
  readonly rules: string;
  readonly settings: Pick<Settings, "images" | "imagePullPolicy" | "imagePullSecrets" | "router" | "session">;
}

interface Wake {
  readonly epoch: number;
  /** Random and in the pod's environment only: see ADR 0020. */
  readonly placeholder: string;
}

/** A session's pod. Pure. */
export function podFor(plan: PodPlan, wake: Wake): KubeObject {
  const { metadata, spec } = templateOf(plan, wake.placeholder);
  const notes = {
    ...metadata.annotations,
    [annotations.template]: templateHash(plan),
    [annotations.rules]: plan.rules,
  };
  const name = podNameOf(plan.session.metadata.name ?? "", wake.epoch);
  return { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name, annotations: notes }, spec };
}

/** Hash of all that only a new pod can change: a running one is replaced when it differs. */
export const templateHash = (plan: PodPlan): string =>
  createHash("sha256")
    .update(JSON.stringify([templateOf(plan, ""), plan.account], inOneOrder))
    .digest("hex")
    .slice(0, 16);

const inOneOrder = (_: string, value: unknown): unknown =>
  isRecord(value) && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort()) : value;

/** All of a pod but its name and what changes with each wake. */
function templateOf(plan: PodPlan, placeholder: string) {
  const { session, group, settings, volumes, sharesNode } = plan;
  const { namespace, name = "" } = session.metadata;
  const runtimeClassName = group.spec.session.runtimeClassName ?? settings.session.runtimeClassName;
  const own = {
    metadata: {
      namespace,
      labels: {
        [labels.managedBy]: operatorName,
        [labels.component]: "session",
        [labels.group]: group.metadata.name,
        [labels.session]: name,
        ...(sharesNode === undefined ? {} : { [labels.sharesNode]: sharesNode }),
      },
      annotations: { [annotations.template]: "", [annotations.rules]: "" },
      ownerReferences: [controllingOwner(sessions, session)],
    },
    spec: {
      serviceAccountName: groupObjectName(group.metadata.name),
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      restartPolicy: "Always",
      terminationGracePeriodSeconds: graceSeconds,
      ...(runtimeClassName === undefined ? {} : { runtimeClassName }),
      securityContext: {
        runAsNonRoot: true,
        fsGroup: podIds.agent,
        fsGroupChangePolicy: "OnRootMismatch",
        seccompProfile: { type: "RuntimeDefault" },
      },
      containers: [proxyContainer(plan, placeholder), agentContainer(plan, placeholder)],
      volumes: [
        { name: "run", emptyDir: { sizeLimit: runVolumeSize } },
        { name: "tmp", emptyDir: { sizeLimit: temporaryVolumeSize } },
        { name: "token", projected: { sources: [tokenSource] } },
        { name: "rules", configMap: { name: groupObjectName(group.metadata.name) } },
        { name: "keys", projected: { sources: volumes.keys.map(keySource) } },
        ...volumesOf(group),
      ],
    },
  };
  const { podOverrides = {} } = group.spec.session;
  return withOverrides(own, podOverrides, { imagePullSecrets: settings.imagePullSecrets, sharesNode });
}

const tokenSource = {
  serviceAccountToken: {
    audience: audiences.mailbox,
    expirationSeconds: tokenSeconds,
    path: posix.basename(podPaths.token),
  },
};

/** Optional: a missing key is the proxy's to tell, and no reason for the pod not to start. */
const keySource = ({ name, keys }: VolumePlan["keys"][number]) => ({
  secret: { name, optional: true, items: keys.map((key) => ({ key, path: `${name}/${key}` })) },
});

function proxyContainer({ settings }: PodPlan, placeholder: string) {
  return {
    name: containers.proxy,
    image: settings.images.proxy,
    imagePullPolicy: settings.imagePullPolicy,
    securityContext: securityOf(podIds.proxy),
    resources: settings.session.proxyResources,
    ports: [{ name: "metrics", containerPort: ports.metrics }],
    env: envOf({
      [environment.proxySocket]: podPaths.socket,
      [environment.socketOwner]: `${podIds.proxy}:${podIds.agent}`,
      [environment.placeholder]: placeholder,
      [environment.mailboxUrl]: settings.router.mailboxUrl,
      [environment.tokenFile]: podPaths.token,
      [environment.rulesFile]: `${podPaths.rules}/${rulesKey}`,
      [environment.keysDir]: podPaths.keys,
      [environment.instructionsDir]: podPaths.instructions,
      [environment.metricsPort]: String(ports.metrics),
    }),
    readinessProbe: { httpGet: { path: "/readyz", port: ports.metrics }, periodSeconds: readinessPeriodSeconds },
    volumeMounts: [
      { name: "run", mountPath: podPaths.run },
      { name: "token", mountPath: posix.dirname(podPaths.token), readOnly: true },
      { name: "rules", mountPath: podPaths.rules, readOnly: true },
      { name: "keys", mountPath: podPaths.keys, readOnly: true },
    ],
  };
}

function agentContainer({ session, group, agentImage, settings }: PodPlan, placeholder: string) {
  const { session: life, teamWorkspaces } = group.spec;
  return {
    name: containers.agent,
    image: agentImage,
    imagePullPolicy: settings.imagePullPolicy,
    securityContext: securityOf(podIds.agent),
    resources: life.resources ?? settings.session.agentResources,
    env: envOf({
      [environment.proxySocket]: podPaths.socket,
      [environment.placeholder]: placeholder,
      [environment.workspace]: podPaths.workspace,
      [environment.agentDir]: podPaths.agent,
      ...(teamWorkspaces.length === 0 ? {} : { [environment.teamDir]: podPaths.team }),
      [environment.instructionsDir]: podPaths.instructions,
      [environment.sandbox]: "pod",
      HOME: `${podPaths.workspace}/home`,
    }),
    volumeMounts: [
      { name: "run", mountPath: podPaths.run, readOnly: true },
      { name: "tmp", mountPath: "/tmp" },
      ...agentMounts(group, session.metadata.name ?? ""),
    ],
  };
}

const securityOf = (id: number) => ({
  runAsNonRoot: true,
  runAsUser: id,
  runAsGroup: id,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
});

const envOf = (values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([name, value]) => ({ name, value }));
