import { isRecord, type KubeObject } from "@copepod/kube/object";

/** Further containers, volumes and tokens would be here; what clusters change for good reasons (images, resources) is not. */
const podFields = [
  ...["serviceAccountName", "automountServiceAccountToken", "hostNetwork", "hostPID", "hostIPC"],
  ...["shareProcessNamespace", "initContainers", "ephemeralContainers", "resourceClaims", "volumes"],
];
const containerFields = [
  ...["name", "command", "args", "env", "envFrom", "volumeMounts", "volumeDevices", "securityContext", "lifecycle"],
];

/** The first field by which a pod, as the API server has it, can do more than what was sent: a webhook may have changed it. */
export function changeOf(sent: KubeObject, made: KubeObject): string | undefined {
  const [wanted, got] = [Object(sent.spec), Object(made.spec)];
  const [ours, theirs] = [listOf(wanted.containers), listOf(got.containers)];
  if (ours.length !== theirs.length) return "spec.containers";
  const field = podFields.find((name) => !isKept(wanted[name], got[name]));
  if (field !== undefined) return `spec.${field}`;
  return ours.flatMap((container, at) =>
    containerFields
      .filter((name) => !isKept(Object(container)[name], Object(theirs[at])[name]))
      .map((name) => `spec.containers.${at}.${name}`),
  )[0];
}

/** The API server adds defaults within an object, and leaves out what is empty: neither is a change. */
function isKept(sent: unknown, got: unknown): boolean {
  if (Array.isArray(sent ?? got)) {
    const [ours, theirs] = [listOf(sent), listOf(got)];
    return ours.length === theirs.length && ours.every((item, at) => isKept(item, theirs[at]));
  }
  if (!isRecord(sent)) return (sent || undefined) === (got || undefined);
  return Object.entries(sent).every(([name, value]) => isKept(value, Object(got)[name]));
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
