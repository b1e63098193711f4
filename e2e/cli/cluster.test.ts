import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pods } from "@copepod/cli/cluster/kinds";
import { resourceOf } from "@copepod/cli/cluster/objects";
import { type Cluster, openCluster } from "@copepod/cli/cluster/open-cluster";
import { requestedToken } from "@copepod/cli/cluster/router-token";
import { type Ran, type RunOptions, runCli } from "@copepod/cli/testing/run-cli";
import { audiences } from "@copepod/core/cluster";
import { agentGroupDefinition } from "@copepod/crds/agent-group";
import { apiVersion } from "@copepod/crds/definition";
import { systemClock } from "@copepod/kube/clock";
import { stringify } from "yaml";
import { z } from "zod";
import type { ControlPlane } from "../cluster/control-plane/control-plane.ts";
import { crdsFolder, readCrds, startWithKinds } from "../crds/judge.ts";
import { controlPlaneGate } from "../support/control-plane.ts";

const namespace = "agents";
const groupFile = join(crdsFolder, "samples/agent-group.yaml");
const groupPath = `/apis/${apiVersion}/namespaces/${namespace}/agentgroups/helper`;
const secretPath = `/api/v1/namespaces/${namespace}/secrets/anthropic`;
const objectSchema = z.looseObject({ spec: z.looseObject({ suspended: z.boolean().optional() }).optional() });

describe("the command line on a real API server", { skip: await controlPlaneGate() }, () => {
  let plane: ControlPlane;

  before(async () => {
    plane = await startWithKinds(readCrds(join(crdsFolder, "generated")));
    for (const name of [namespace, "copepod"]) await post("/api/v1/namespaces", { metadata: { name } });
  });
  after(() => plane[Symbol.asyncDispose]());

  async function post(path: string, body: object): Promise<void> {
    const { status, body: answer } = await plane.call("POST", path, body);
    assert.equal(status, 201, JSON.stringify(answer));
  }

  const open = (): Promise<Cluster> =>
    openCluster({ kubeconfigs: [plane.kubeconfig] }, { version: "1", clock: systemClock });

  async function run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return await runCli(["--cluster", ...args], { ...options, cluster: await open() });
  }

  const specOf = async () => objectSchema.parse((await plane.call("GET", groupPath)).body).spec;

  it("applies, again without a change, and says whose values it would overwrite", async () => {
    assert.equal((await run(["apply", "-f", groupFile])).stdout, "agentgroup/helper created\n");
    assert.equal((await run(["apply", "-f", groupFile])).stdout, "agentgroup/helper unchanged\n");
    const changed = (await readFile(groupFile, "utf8")).replace("10m", "20m");
    assert.equal((await run(["apply", "-f", "-"], { stdin: changed })).stdout, "agentgroup/helper configured\n");
    const { client, close } = await open();
    const theirs = { metadata: { namespace, name: "helper" }, spec: { session: { idleAfter: "3m" } } };
    await client.apply(resourceOf(agentGroupDefinition), theirs, { fieldManager: "gitops", force: true });
    await close();
    const refused = await run(["apply", "-f", groupFile]);
    assert.equal(refused.code, 4);
    assert.match(refused.stderr, /agent-group.yaml:1: agentgroup\/helper: .*spec\.session\.idleAfter \(by gitops\)/);
    assert.equal((await run(["apply", "-f", groupFile, "--force-conflicts"])).stdout, "agentgroup/helper configured\n");
  });

  it("writes nothing when the API server refuses one of several", async () => {
    const user = { apiVersion, kind: "User", metadata: { name: "ada" }, spec: { identities: ["terminal:ada"] } };
    const elsewhere = { ...user, metadata: { name: "bob", namespace: "nowhere" } };
    const { code, stderr } = await run(["apply", "-f", "-"], {
      stdin: [user, elsewhere].map((one) => stringify(one)).join("---\n"),
    });
    assert.deepEqual([code, /stdin:\d+: .*nowhere/.test(stderr)], [3, true], stderr);
    assert.equal((await run(["get", "users"])).stderr, "No users found.\n");
  });

  it("lists with the person's own rights, in the columns of the kind", async () => {
    const { stdout } = await run(["get", "cpag"]);
    assert.match(stdout, /^NAME +PROVIDER +SESSIONS +AWAKE +WAITING +READY +REASON +AGE\nhelper +demo .*s\n$/);
    assert.equal((await run(["get", "cpag", "nobody"])).code, 3);
    assert.match((await run(["get", "sessions"])).stderr, /No sessions found/);
  });

  it("pauses and resumes agent groups", async () => {
    assert.equal((await run(["pause"])).stdout, "agentgroup/helper paused\n");
    assert.equal((await specOf())?.suspended, true);
    assert.equal((await run(["resume", "group", "helper"])).stdout, "agentgroup/helper resumed\n");
    assert.equal((await specOf())?.suspended, false);
    assert.equal((await run(["pause", "session", "none"])).code, 3);
  });

  it("keeps a key in a Secret, beside others of it, and makes its Credential", async () => {
    await post(secretPath.replace("/anthropic", ""), { metadata: { name: "anthropic" }, data: { other: "eA==" } });
    const added = await run(["keys", "add", "anthropic"], { stdin: "sk-ant-0123456789" });
    assert.equal(added.code, 0, added.stderr);
    assert.doesNotMatch(added.stdout + added.stderr, /0123456789/);
    const { data } = z
      .looseObject({ data: z.record(z.string(), z.string()) })
      .parse((await plane.call("GET", secretPath)).body);
    assert.deepEqual(data, { other: "eA==", key: Buffer.from("sk-ant-0123456789").toString("base64") });
    assert.match((await run(["keys", "list"])).stdout, /\nanthropic +key +anthropic/);
    assert.equal((await run(["credential", "rotate", "anthropic"])).stdout, "credential/anthropic has revision 1\n");
    assert.equal((await run(["keys", "remove", "anthropic"])).code, 0);
    assert.equal((await plane.call("GET", secretPath)).status, 200);
  });

  it("asks for a token that is good for the router's admin API alone", async () => {
    await post("/api/v1/namespaces/copepod/serviceaccounts", { metadata: { name: "copepod-admin" } });
    const { client, close } = await open();
    const token = await requestedToken(client, { namespace: "copepod", name: "copepod-admin" }, systemClock)();
    const review = (audience: string) =>
      plane.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", { spec: { token, audiences: [audience] } });
    const verdict = z.object({ status: z.object({ authenticated: z.boolean().default(false) }) });
    for (const audience of Object.values(audiences)) {
      const { status } = verdict.parse((await review(audience)).body);
      assert.equal(status.authenticated, audience === audiences.admin, audience);
    }
    const none = requestedToken(client, { namespace, name: "nobody" }, systemClock)();
    await assert.rejects(none, { code: "notFound", message: /"agents\/nobody" does not exist/ });
    await close();
  });

  it("finds a namespace that takes any pod, and programs that have lost their rights", async () => {
    const metadata = {
      name: "router",
      labels: { "app.kubernetes.io/name": "copepod", "app.kubernetes.io/component": "router" },
    };
    const spec = { serviceAccountName: "router", containers: [{ name: "router", image: "none" }] };
    await post("/api/v1/namespaces/copepod/serviceaccounts", { metadata: { name: "router" } });
    await post("/api/v1/namespaces/copepod/pods", { metadata, spec });
    const { client, close } = await open();
    const pod = { namespace: "copepod", name: "router" };
    const status = { conditions: [{ type: "Ready", status: "True" }] };
    await client.mergePatch(pods, { ...pod, subresource: "status" }, { status });
    const { stdout } = await run(["doctor"]);
    await client.delete(pods, pod, { gracePeriodSeconds: 0 });
    await close();
    assert.match(stdout, /router: runs, and may not patch sessions\.copepod\.dev in the namespace "agents"/);
    assert.match(stdout, /"agents" takes pods that are not restricted/);
  });

  it("finds the kinds of this version, and misses the programs", async () => {
    const { code, stdout } = await run(["doctor", "-o", "json"]);
    const { findings } = z
      .object({ findings: z.array(z.object({ check: z.string(), state: z.string() })) })
      .parse(JSON.parse(stdout));
    const stateOf = (check: string) => findings.find((one) => one.check === check)?.state;
    assert.deepEqual([code, stateOf("kinds"), stateOf("router"), stateOf("operator")], [1, "ok", "bad", "bad"]);
  });

  it("tells that a session is not there, and that the router could not be asked", async () => {
    const { code, stdout } = await run(["debug", "session", "helper-0123456789ab"]);
    assert.equal(code, 1);
    assert.match(stdout, /no session "helper-0123456789ab".*the namespace "copepod" has no router/);
  });
});
