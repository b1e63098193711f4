import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { labels } from "@copepod/core/cluster";
import { type Credential, credentialSchema } from "@copepod/crds/credential";
import { apiVersion } from "@copepod/crds/definition";
import { z } from "zod";
import { podFor, templateHash } from "./pod.ts";
import { group, plan, settings } from "./testing/samples.ts";
import { keysOf } from "./volumes.ts";

const wake = { epoch: 5, placeholder: "placeholder-placeholder" };

const containerSchema = z.object({
  ...{ name: z.string(), image: z.string(), resources: z.unknown() },
  env: z.array(z.object({ name: z.string(), value: z.string() })),
  volumeMounts: z.array(
    z.object({
      ...{ name: z.string(), mountPath: z.string() },
      ...{ subPath: z.string().optional(), readOnly: z.boolean().optional() },
    }),
  ),
});
const specSchema = z.looseObject({
  containers: z.tuple([containerSchema, containerSchema]),
  volumes: z.array(z.looseObject({ name: z.string() })),
});

function read(more: Parameters<typeof plan>[0] = {}) {
  const pod = podFor(plan(more), wake);
  const spec = specSchema.parse(pod.spec);
  const [proxy, agent] = spec.containers;
  const envOf = ({ env }: typeof agent) => Object.fromEntries(env.map(({ name, value }) => [name, value]));
  return { pod, spec, proxy, agent, env: { proxy: envOf(proxy), agent: envOf(agent) } };
}

const credential = (name: string, secretRef?: object): Credential =>
  credentialSchema.parse({
    ...{ apiVersion, kind: "Credential", metadata: { name } },
    spec: { upstream: { api: "Anthropic" }, ...(secretRef && { secretRef }) },
  });

describe("a session's pod", () => {
  it("is named by session and epoch, and belongs to the Session", () => {
    const { metadata } = read().pod;
    assert.equal(metadata.name, "helper-1-5");
    assert.equal(metadata.labels?.[labels.session], "helper-1");
    assert.deepEqual(
      metadata.ownerReferences?.map(({ kind, uid, controller }) => [kind, uid, controller]),
      [["Session", "session-uid", true]],
    );
  });

  it("has two ordinary containers, and nothing that would make a wake slower", () => {
    const { spec } = read();
    assert.deepEqual(
      spec.containers.map(({ name }) => name),
      ["credential-proxy", "agent"],
    );
    assert.equal(spec.initContainers, undefined);
    assert.ok(!JSON.stringify(spec).match(/startupProbe|lifecycle/));
  });

  it("gives the token and the keys to the proxy only, and the agent what the proxy writes for reading only", () => {
    const { proxy, agent } = read();
    const namesOf = ({ volumeMounts }: typeof agent) => volumeMounts.map(({ name }) => name);
    for (const name of ["token", "keys", "rules"]) {
      assert.ok(namesOf(proxy).includes(name));
      assert.ok(!namesOf(agent).includes(name));
    }
    assert.ok(!namesOf(proxy).includes("files"));
    assert.equal(agent.volumeMounts.find(({ name }) => name === "run")?.readOnly, true);
  });

  it("mounts the session's folder, the group's, workspaces and volumes as siblings", () => {
    const { agent, spec } = read({
      group: group({
        teamWorkspaces: [{ name: "plans" }, { name: "archive", readOnly: true }],
        mounts: [{ name: "photos", claimName: "nas-photos" }],
      }),
    });
    const places = agent.volumeMounts.map(({ mountPath, subPath = "", readOnly = false }) =>
      [mountPath, subPath, readOnly ? "ro" : "rw"].filter(Boolean).join(" "),
    );
    assert.deepEqual(places.slice(2), [
      "/workspace sessions/helper-1 rw",
      "/agent agent rw",
      "/team/plans rw",
      "/team/archive ro",
      "/mnt/photos ro",
    ]);
    const paths = agent.volumeMounts.map(({ mountPath }) => mountPath);
    assert.ok(paths.every((path) => paths.every((other) => !path.startsWith(`${other}/`))));
    assert.deepEqual(
      spec.volumes.flatMap(({ persistentVolumeClaim: claim }) => (claim ? [Object(claim).claimName] : [])),
      ["copepod-group-helper", "copepod-workspace-plans", "copepod-workspace-archive", "nas-photos"],
    );
  });

  it("gives no variable of the group to the container: the runner hands them to the harness", () => {
    const env = [{ name: "NODE_OPTIONS", value: "--import=/workspace/evil.mjs" }];
    assert.deepEqual(read({ group: group({ agent: { env } }) }).env, read().env);
  });

  it("gives both containers the same placeholder, and the agent no address of the router", () => {
    const { env } = read();
    assert.equal(env.proxy.COPEPOD_PLACEHOLDER, wake.placeholder);
    assert.equal(env.agent.COPEPOD_PLACEHOLDER, wake.placeholder);
    assert.equal(env.proxy.COPEPOD_MAILBOX_URL, "http://router.system:8081");
    assert.ok(!JSON.stringify(env.agent).includes("router.system"));
  });

  it("takes resources, runtime class and pull secrets of the group, else of the installation", () => {
    const ours = settings({
      session: { agentResources: { limits: { memory: "1Gi" } }, runtimeClassName: "gvisor" },
      imagePullSecrets: ["registry"],
    });
    const { agent, spec } = read({ settings: ours });
    assert.deepEqual(agent.resources, { limits: { memory: "1Gi" } });
    assert.equal(spec.runtimeClassName, "gvisor");
    const session = {
      resources: { requests: { cpu: "1" } },
      runtimeClassName: "kata",
      podOverrides: { imagePullSecrets: [{ name: "registry" }, { name: "own" }] },
    };
    const theirs = read({ settings: ours, group: group({ session }) });
    assert.deepEqual(theirs.agent.resources, { requests: { cpu: "1" } });
    assert.equal(theirs.spec.runtimeClassName, "kata");
    assert.deepEqual(theirs.spec.imagePullSecrets, [{ name: "registry" }, { name: "own" }]);
  });

  it("shares a node by one more term of the group's own affinity, and only where it has to", () => {
    const required = "requiredDuringSchedulingIgnoredDuringExecution";
    const podAffinity = { [required]: [{ topologyKey: "zone" }], preferredDuringSchedulingIgnoredDuringExecution: [] };
    const affinity = { podAffinity, nodeAffinity: {} };
    const told = group({ session: { podOverrides: { affinity } } });
    assert.match(JSON.stringify(read({ group: told }).spec.affinity), /"zone"\},\{.*shares-node":"helper"/);
    assert.deepEqual(read({ group: told, sharesNode: undefined }).spec.affinity, affinity);
    assert.equal(read({ sharesNode: undefined }).spec.affinity, undefined);
  });

  it("keeps its template over wakes, rules and revisions, and changes it with all that needs a new pod", () => {
    const template = templateHash(plan());
    assert.equal(
      podFor(plan(), { epoch: 9, placeholder: "another" }).metadata.annotations?.["copepod.dev/template"],
      template,
    );
    assert.equal(templateHash(plan({ rules: "rules-2" })), template);
    const others = [
      plan({ agentImage: "agent:2" }),
      plan({ account: "made-anew" }),
      plan({ volumes: { keys: [{ name: "key", keys: ["key"] }] } }),
      plan({ group: group({ session: { resources: { limits: { cpu: "1" } } } }) }),
      plan({ group: group({ session: { podOverrides: { nodeSelector: { a: "b" } } } }) }),
      plan({ settings: settings({ images: { proxy: "proxy:2", agents: {} } }) }),
    ].map(templateHash);
    assert.equal(new Set([template, ...others]).size, others.length + 1);
  });
});

describe("the keys of a proxy", () => {
  it("are those that the group's credentials name, each once, in one order", () => {
    const keys = keysOf([
      credential("b", { name: "two", key: "z" }),
      credential("a", { name: "one" }),
      credential("c", { name: "two", key: "a" }),
      credential("d", { name: "two", key: "z" }),
      credential("e"),
    ]);
    assert.deepEqual(keys, [
      { name: "one", keys: ["key"] },
      { name: "two", keys: ["a", "z"] },
    ]);
  });

  it("are optional, one file each, in the folder of their Secret", () => {
    const { spec } = read({ volumes: { keys: [{ name: "two", keys: ["a"] }] } });
    const volume = spec.volumes.find(({ name }) => name === "keys");
    assert.deepEqual(volume?.projected, {
      sources: [{ secret: { name: "two", optional: true, items: [{ key: "a", path: "two/a" }] } }],
    });
  });
});
