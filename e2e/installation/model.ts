import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Installation, patienceMs } from "./installation.ts";

const namespace = "models";
const port = 8080;
/** Where agents' proxies reach it. */
export const modelUrl = `http://model.${namespace}.svc:${port}`;

const labels = { app: "model" };
/** Node is in every image; this one has it without asking for anything else. */
const image = (version: string): string => `localhost/copepod/agent:${version}`;

/** The fake model, as a pod with a Service in a namespace of its own: models of a cluster's own are reached so. */
export async function installModel(installation: Installation, key: string, version: string): Promise<void> {
  await installation.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }], "default");
  const security = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] }, readOnlyRootFilesystem: true };
  const container = {
    name: "model",
    image: image(version),
    imagePullPolicy: "IfNotPresent",
    command: ["node", "/code/model.mjs"],
    env: Object.entries({ KEY: key, PORT: String(port) }).map(([name, value]) => ({ name, value })),
    ports: [{ containerPort: port }],
    readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
    securityContext: security,
    volumeMounts: [{ name: "code", mountPath: "/code" }],
  };
  await installation.apply(
    [
      { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "code" }, data: { "model.mjs": await bundleModel() } },
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "model", labels },
        spec: {
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, runAsUser: 10_001, seccompProfile: { type: "RuntimeDefault" } },
          containers: [container],
          volumes: [{ name: "code", configMap: { name: "code" } }],
        },
      },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "model" },
        spec: { selector: labels, ports: [{ port, targetPort: port }] },
      },
    ],
    namespace,
  );
  const ready = ["wait", "--for=condition=Ready", "pod/model", `--namespace=${namespace}`, `--timeout=${patienceMs}ms`];
  await installation.ask(...ready);
}

async function bundleModel(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("fake-model.ts", import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    platform: "node",
    format: "esm",
    logLevel: "error",
  });
  return outputFiles[0]?.text ?? "";
}
