import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { podFor } from "./pod.ts";
import { changeOf } from "./pod-changes.ts";
import { plan } from "./testing/samples.ts";

const sent = podFor(plan(), { epoch: 5, placeholder: "placeholder-placeholder" });
const agent = "spec.containers.1";

/** What is done to the pod between its maker and the API server's store. */
const rows: readonly (readonly [says: string, change: (spec: Spec) => void, field: string | undefined])[] = [
  ["nothing", () => undefined, undefined],
  [
    "defaults",
    ({ containers: [proxy] }) => Object.assign(Object(proxy), { terminationMessagePath: "/dev/log" }),
    undefined,
  ],
  [
    "another image of the same",
    ({ containers: [, it] }) => Object.assign(Object(it), { image: "mirror/agent:1" }),
    undefined,
  ],
  ["a sidecar", ({ containers }) => containers.push({ name: "sidecar" }), "spec.containers"],
  ["an init container", (spec) => Object.assign(spec, { initContainers: [{ name: "x" }] }), "spec.initContainers"],
  ["a volume", ({ volumes }) => volumes.push({ name: "x", secret: {} }), "spec.volumes"],
  ["a token", ({ volumes }) => Object.assign(Object(volumes[2]).projected.sources, [{}, {}]), "spec.volumes"],
  ["its account", (spec) => Object.assign(spec, { serviceAccountName: "x" }), "spec.serviceAccountName"],
  [
    "the API's token",
    (spec) => Object.assign(spec, { automountServiceAccountToken: true }),
    "spec.automountServiceAccountToken",
  ],
  ["a mount", ({ containers: [, it] }) => Object(it).volumeMounts.push({ name: "keys" }), `${agent}.volumeMounts`],
  [
    "a mount to write to",
    ({ containers: [, it] }) => delete Object(it).volumeMounts[0].readOnly,
    `${agent}.volumeMounts`,
  ],
  ["a variable", ({ containers: [, it] }) => Object(it).env.push({ name: "NODE_OPTIONS" }), `${agent}.env`],
  [
    "variables of a Secret",
    ({ containers: [, it] }) => Object.assign(Object(it), { envFrom: [{}] }),
    `${agent}.envFrom`,
  ],
];

interface Spec {
  readonly containers: object[];
  readonly volumes: object[];
}

describe("a pod that is made as another one than was sent", () => {
  for (const [says, change, field] of rows) {
    it(`is told by ${says}: ${field}`, () => {
      const made = structuredClone(sent);
      change(Object(made.spec));
      assert.equal(changeOf(sent, made), field);
    });
  }
});
