import { podIds } from "@copepod/core/cluster";
import { stringify } from "yaml";
import { type Installation, patienceMs } from "../../installation/installation.ts";
import { until } from "../../support/until.ts";
import type { Watcher } from "./watcher.ts";

export const bareNamespace = "bare";

const serve = `process.umask(0);
require("node:http").createServer((_, answer) => answer.end()).listen("/run/bare/socket");
process.once("SIGTERM", () => process.exit());`;

/** Says, as the first thing that it can, when the other container has answered. */
const call = `const { request } = require("node:http");
const ask = () => request({ socketPath: "/run/bare/socket" }, () => console.log("answered " + Date.now()))
  .on("error", () => setTimeout(ask, 10)).end();
ask();
process.once("SIGTERM", () => process.exit());
setInterval(() => {}, 60_000);`;

interface BareImages {
  readonly proxy: string;
  readonly agent: string;
}

/** A pod of the shape of a session's, with nothing of Copepod in it but the images: the least that Kubernetes takes here. */
export const barePod = (name: string, images: BareImages): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: bareNamespace },
  spec: {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: { fsGroup: podIds.agent, runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      containerOf("first", images.proxy, podIds.proxy, serve),
      containerOf("second", images.agent, podIds.agent, call),
    ],
    volumes: [
      { name: "run", emptyDir: {} },
      { name: "tmp", emptyDir: {} },
      { name: "files", persistentVolumeClaim: { claimName: "files" } },
    ],
  },
});

export const bareClaim: object = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "files", namespace: bareNamespace },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
};

function containerOf(name: string, image: string, uid: number, script: string): object {
  return {
    name,
    image,
    imagePullPolicy: "IfNotPresent",
    command: ["node", "--eval", script],
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
      runAsUser: uid,
      runAsGroup: uid,
    },
    volumeMounts: [
      { name: "run", mountPath: "/run/bare" },
      { name: "tmp", mountPath: "/tmp" },
      { name: "files", mountPath: "/workspace", subPath: name },
    ],
  };
}

/** @returns seconds from when a watch told of the pod until its second process heard from the first */
export async function wakeBare(installation: Installation, watcher: Watcher, pod: object): Promise<number> {
  const name = `bare-${crypto.randomUUID().slice(0, 8)}`;
  const named = { ...pod, metadata: { name, namespace: bareNamespace } };
  await installation.kubectl(["create", "--filename=-"], stringify(named));
  const answered = await until(
    "the bare pod's second process is answered",
    async () => {
      if (watcher.of(name).started === undefined) return undefined;
      const { output } = await installation.kubectl([
        "logs",
        name,
        `--namespace=${bareNamespace}`,
        "--container=second",
      ]);
      return /answered (\d+)/.exec(output)?.[1];
    },
    patienceMs,
  );
  await installation.ask("delete", "pod", name, `--namespace=${bareNamespace}`);
  return (Number(answered) - (watcher.of(name).created ?? Number.NaN)) / 1_000;
}
