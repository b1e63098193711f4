/** Said and done, but nothing is stored by it. */
const unstored = [
  { group: "authentication.k8s.io" },
  { group: "authorization.k8s.io" },
  { group: "", resources: ["serviceaccounts/token"] },
];

/**
 * What the API server's audit log has: one line for each finished write, with who, what and when, but without bodies, so
 * that writes can be counted. Reads are left out, and so are Leases: nodes and electors renew theirs every few seconds,
 * whatever else goes on. JSON, which is YAML.
 */
export const auditPolicy = `${JSON.stringify({
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived", "ResponseStarted"],
  rules: [
    { level: "None", verbs: ["get", "list", "watch"] },
    { level: "None", resources: [{ group: "coordination.k8s.io", resources: ["leases"] }, ...unstored] },
    { level: "None", nonResourceURLs: ["*"] },
    { level: "Metadata" },
  ],
})}\n`;
