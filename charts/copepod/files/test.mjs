// Of `helm test`: asks the router whether it is ready, and tries one thing that the policies refuse.
import { readFileSync } from "node:fs";

const {
  ROUTER_URL,
  AGENTS_NAMESPACE,
  POLICIES,
  KUBERNETES_SERVICE_HOST: host,
  KUBERNETES_SERVICE_PORT: port,
} = process.env;
const token = readFileSync("/var/run/secrets/kubernetes.io/serviceaccount/token", "utf8");

const ready = await fetch(`${ROUTER_URL}/readyz`);
if (!ready.ok) throw new Error(`The router is not ready: ${await ready.text()}`);
console.log("The router is ready.");

if (POLICIES === "true") {
  const credential = {
    apiVersion: "copepod.dev/v1alpha1",
    kind: "Credential",
    metadata: { generateName: "helm-test-" },
    spec: { upstream: { api: "Anthropic" }, secretRef: { name: "helm-test" } },
  };
  const address = host.includes(":") ? `[${host}]` : host;
  const path = `/apis/copepod.dev/v1alpha1/namespaces/${AGENTS_NAMESPACE}/credentials?dryRun=All`;
  const answer = await fetch(`https://${address}:${port}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify(credential),
  });
  const { message } = await answer.json();
  if (answer.ok || !String(message).includes("may not read the Secret")) {
    throw new Error(`The policies are not in force: the API server answered ${answer.status} ${message ?? ""}`);
  }
  console.log("The policies are in force.");
}
