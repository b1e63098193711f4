import {
  annotations,
  audiences,
  containers,
  groupObjectName,
  labels,
  operatorName,
  parsePodName,
  podIds,
  podPaths,
} from "@copepod/core/cluster";
import { CopepodError, describeIssue } from "@copepod/core/errors";
import type { KubeObject } from "@copepod/kube/object";
import { z } from "zod";
import { graceSeconds } from "./limits.ts";

// What a session's pod may be: a closed list. A field that is not here is refused, whoever put it there.

const named = z.string().min(1);
const amounts = z.strictObject({ cpu: z.string().optional(), memory: z.string().optional() });
const env = z.array(z.strictObject({ name: named, value: z.string() }));
const free = z.record(z.string(), z.unknown());

const securityOf = (id: number) =>
  z.strictObject({
    runAsNonRoot: z.literal(true),
    runAsUser: z.literal(id),
    runAsGroup: z.literal(id),
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.strictObject({ drop: z.tuple([z.literal("ALL")]) }),
  });

const containerOf = (name: string, id: number) => ({
  name: z.literal(name),
  image: named,
  imagePullPolicy: z.enum(["Always", "IfNotPresent", "Never"]),
  securityContext: securityOf(id),
  resources: z.strictObject({ requests: amounts.optional(), limits: amounts.optional() }),
  env,
});

const mountsOf = (names: RegExp, places: RegExp) =>
  z.array(
    z.strictObject({
      name: z.string().regex(names),
      mountPath: z.string().regex(places),
      readOnly: z.literal(true).optional(),
      subPath: z
        .string()
        .regex(/^(agent|sessions\/[a-z0-9-]+)$/)
        .optional(),
    }),
  );

const proxy = z.strictObject({
  ...containerOf(containers.proxy, podIds.proxy),
  ports: z.tuple([z.strictObject({ name: z.literal("metrics"), containerPort: z.int() })]),
  readinessProbe: z.strictObject({
    httpGet: z.strictObject({ path: z.literal("/readyz"), port: z.int() }),
    periodSeconds: z.int(),
  }),
  volumeMounts: mountsOf(/^(run|token|rules|keys)$/, /^\/(run|var\/run|etc)\//),
});

/** Nothing of the token and of the keys; what the proxy writes, it only reads. */
const agent = z
  .strictObject({
    ...containerOf(containers.agent, podIds.agent),
    volumeMounts: mountsOf(
      /^(run|tmp|files|team-[0-9]+|mount-[0-9]+)$/,
      /^\/(run\/copepod|tmp|workspace|agent|team\/[a-z0-9-]+|mnt\/[a-z0-9-]+)$/,
    ),
  })
  .refine(({ volumeMounts }) => volumeMounts.every(({ name, readOnly }) => name !== "run" || readOnly === true), {
    path: ["volumeMounts"],
    message: `${podPaths.run} must be read-only for the agent`,
  });

const emptyDir = z.strictObject({ sizeLimit: z.string() });
const token = z.strictObject({
  serviceAccountToken: z.strictObject({
    audience: z.literal(audiences.mailbox),
    expirationSeconds: z.int().max(3_600),
    path: named,
  }),
});
const keys = z.strictObject({
  secret: z.strictObject({
    name: named,
    optional: z.literal(true),
    items: z.array(z.strictObject({ key: named, path: named })),
  }),
});
const volume = z.union([
  z.strictObject({ name: z.enum(["run", "tmp"]), emptyDir }),
  z.strictObject({ name: z.literal("token"), projected: z.strictObject({ sources: z.tuple([token]) }) }),
  z.strictObject({ name: z.literal("keys"), projected: z.strictObject({ sources: z.array(keys) }) }),
  z.strictObject({ name: z.literal("rules"), configMap: z.strictObject({ name: named }) }),
  z.strictObject({
    name: z.string().regex(/^(files|team-[0-9]+|mount-[0-9]+)$/),
    persistentVolumeClaim: z.strictObject({ claimName: named }),
  }),
]);

const spec = z.strictObject({
  serviceAccountName: named,
  automountServiceAccountToken: z.literal(false),
  enableServiceLinks: z.literal(false),
  restartPolicy: z.literal("Always"),
  terminationGracePeriodSeconds: z.literal(graceSeconds),
  runtimeClassName: named.optional(),
  securityContext: z.strictObject({
    runAsNonRoot: z.literal(true),
    fsGroup: z.literal(podIds.agent),
    fsGroupChangePolicy: z.literal("OnRootMismatch"),
    seccompProfile: z.strictObject({ type: z.literal("RuntimeDefault") }),
  }),
  containers: z.tuple([proxy, agent]),
  volumes: z.array(volume),
  imagePullSecrets: z.array(z.strictObject({ name: named })).optional(),
  priorityClassName: named
    .regex(/^(?!system-)/, "must not be one of the cluster's own, which evict what runs")
    .optional(),
  nodeSelector: z.record(z.string(), z.string()).optional(),
  tolerations: z.array(free).optional(),
  affinity: z
    .strictObject({ nodeAffinity: free.optional(), podAffinity: free.optional(), podAntiAffinity: free.optional() })
    .optional(),
  topologySpreadConstraints: z.array(free).optional(),
  hostUsers: z.boolean().optional(),
  schedulerName: named.optional(),
});

/** Labels and annotations by which Copepod's programs decide. */
const isReserved = (key: string): boolean => /^(|.*\.)copepod\.dev\//.test(key.toLowerCase());
const ownKeys: readonly string[] = [
  ...[labels.managedBy, labels.component, labels.group, labels.session, labels.sharesNode],
  ...[annotations.template, annotations.rules],
];

/**
 * By other names webhooks, network plug-ins and runtimes are told to add tokens, secrets, containers, devices and networks, each
 * of which would undo what the fields say. Some of those have dots and no slash.
 */
const isHarmless = (key: string): boolean => /^[\w-]+$/.test(key);

const metadata = z.strictObject({
  name: named,
  namespace: named,
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
  ownerReferences: z.tuple([z.looseObject({ name: named, controller: z.literal(true) })]),
});

const safePod = z
  .strictObject({ apiVersion: z.literal("v1"), kind: z.literal("Pod"), metadata, spec })
  .refine(isConsistent, { path: ["metadata", "labels"], message: "must name the session, its group and the operator" });

function isConsistent(pod: {
  readonly metadata: z.output<typeof metadata>;
  readonly spec: Pick<z.output<typeof spec>, "serviceAccountName">;
}): boolean {
  const { name, labels: has, ownerReferences } = pod.metadata;
  const session = has[labels.session];
  return (
    has[labels.managedBy] === operatorName &&
    has[labels.component] === "session" &&
    parsePodName(name)?.session === session &&
    ownerReferences[0].name === session &&
    pod.spec.serviceAccountName === groupObjectName(has[labels.group] ?? "")
  );
}

/**
 * @param allowed what further names of labels and annotations may begin with
 * @throws CopepodError `forbidden` that names the field by which the pod could do more than a session's pod may
 */
export function assertSafePod(pod: KubeObject, allowed: readonly string[] = []): void {
  const { error } = safePod.safeParse(pod);
  if (error) throw unsafe(describeIssue(error));
  const mayBe = (key: string): boolean =>
    ownKeys.includes(key) || isHarmless(key) || (!isReserved(key) && allowed.some((prefix) => key.startsWith(prefix)));
  const other = Object.keys({ ...pod.metadata.labels, ...pod.metadata.annotations }).find((key) => !mayBe(key));
  if (other === undefined) return;
  throw unsafe(
    `metadata: ${other} is not a plain word, nor among what the installation allows (session.allowedMetadata)`,
  );
}

const unsafe = (why: string): CopepodError =>
  new CopepodError("forbidden", `The pod would not be safe; mend podOverrides. ${why}`);
