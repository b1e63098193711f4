// Of `helm test`: asks the router whether it is ready, and tries what network policies and admission policies refuse.
import { readFileSync } from "node:fs";

const {
  ROUTER_URL,
  AGENTS_NAMESPACE,
  POLICIES,
  NETWORK_POLICIES,
  KUBERNETES_SERVICE_HOST: host,
  KUBERNETES_SERVICE_PORT: port,
} = process.env;
const token = readFileSync("/var/run/secrets/kubernetes.io/serviceaccount/token", "utf8");

const ready = await fetch(`${ROUTER_URL}/readyz`);
if (!ready.ok) throw new Error(`The router is not ready: ${await ready.text()}`);
console.log("The router is ready.");

if (NETWORK_POLICIES === "true") {
  // A new pod is judged a moment late.
  const admin = ROUTER_URL.replace("9090", "8083");
  const reaches = async () =>
    await fetch(admin, { signal: AbortSignal.timeout(2_000) }).then(
      () => true,
      () => false,
    );
  for (let tries = 0; await reaches(); tries++) {
    if (tries === 10) throw new Error("The cluster's network does not enforce NetworkPolicies: see docs/security.md.");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  console.log("The cluster's network enforces NetworkPolicies.");
}

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
