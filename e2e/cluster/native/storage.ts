import { stringify } from "yaml";
import { referenceOf } from "../images/archive.ts";
import { busyboxImage } from "../images/standard.ts";
import { nodeFolders } from "./config.ts";

export const storageNamespace = "local-path-storage";
const provisioner = "copepod.dev/local-path";
const account = "local-path-provisioner";

export const provisionerArguments = (kubeconfig: string, configFile: string): readonly string[] => [
  "start",
  `--kubeconfig=${kubeconfig}`,
  `--config=${configFile}`,
  `--provisioner-name=${provisioner}`,
  `--namespace=${storageNamespace}`,
  `--service-account-name=${account}`,
  `--helper-image=${referenceOf(busyboxImage)}`,
];

export const provisionerConfig = (): string =>
  JSON.stringify({ nodePathMap: [{ node: "DEFAULT_PATH_FOR_NON_LISTED_NODES", paths: [nodeFolders.volumes] }] });

const helperPod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "volume" },
  spec: {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    containers: [{ name: "volume", image: referenceOf(busyboxImage), imagePullPolicy: "Never" }],
  },
};

/** What must be in the cluster before a claim gets a volume. The class has the name and the binding of kind's. */
export const storageManifests: readonly object[] = [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: storageNamespace } },
  { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: account, namespace: storageNamespace } },
  {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "local-path-config", namespace: storageNamespace },
    data: {
      // Whoever the pod runs as may write: folders of a subPath take the mode of the volume's root.
      setup: 'set -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
      teardown: 'set -eu\nrm -rf "$VOL_DIR"\n',
      "helperPod.yaml": stringify(helperPod),
    },
  },
  {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: "standard", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
    provisioner,
    volumeBindingMode: "WaitForFirstConsumer",
    reclaimPolicy: "Delete",
  },
];
