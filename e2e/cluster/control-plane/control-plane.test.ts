import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { get } from "node:https";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { controlPlaneBinaries, controlPlaneGate, startControlPlane } from "../../support/control-plane.ts";
import { until } from "../../support/until.ts";
import { areFree } from "../machine/ports.ts";
import { findProcess } from "../machine/processes.ts";
import type { KeyPair } from "../pki/certificates.ts";
import { adminRequest } from "../pki/pki.ts";
import { ControlPlane } from "./control-plane.ts";

const skip = await controlPlaneGate();
const path = "/api/v1/namespaces/default/configmaps";

const listed = z.object({ metadata: z.object({ resourceVersion: z.string(), uid: z.string().default("") }) });
const reviewed = z.object({ status: z.object({ user: z.object({ username: z.string().default("") }) }) });
const portsFile = z.object({ etcd: z.int(), peer: z.int(), apiServer: z.int() });
const auditLine = z.object({
  verb: z.string(),
  requestURI: z.string(),
  user: z.object({ username: z.string() }),
  objectRef: z.object({ resource: z.string() }),
});

/** @returns the HTTP status that a user gets */
async function statusFor({ server, pki }: ControlPlane, user: Partial<KeyPair>): Promise<number | undefined> {
  const options = { ca: pki.authority, cert: user.certificate, key: user.key, agent: false };
  const [response] = await once(get(`${server}${path}`, options), "response");
  response.destroy();
  return response.statusCode;
}

const configMap = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } });

describe("a control plane", { skip }, () => {
  let plane: ControlPlane;
  before(async () => {
    plane = await startControlPlane();
  });
  after(async () => await plane[Symbol.asyncDispose]());

  it("stores objects, on the same port again after its API server was killed, and again after it was ended", async () => {
    const { server } = plane;
    assert.equal((await plane.call("POST", path, configMap("kept"))).status, 201);
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      await plane.stopApiServer(signal);
      await assert.rejects(plane.call("GET", `${path}/kept`));
      await plane.startApiServer();
      assert.equal((await plane.call("GET", `${path}/kept`)).status, 200);
      assert.equal(plane.server, server);
    }
  });

  it("goes on when etcd was killed, too", async () => {
    assert.equal((await plane.call("POST", path, configMap("durable"))).status, 201);
    await plane.stop("SIGKILL");
    await plane.startApiServer();
    assert.equal((await plane.call("GET", `${path}/durable`)).status, 200);
  });

  it("tells each write once in the audit log, and no read, no Lease and no review", async () => {
    await plane.call("POST", path, configMap("audited"));
    await plane.call("GET", `${path}/audited`);
    const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "audited" } };
    await plane.call("POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", lease);
    const review = { spec: { token: "audited" } };
    await plane.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review);
    await plane.call("DELETE", `${path}/audited`);
    const lines = (await readFile(plane.auditLog, "utf8")).trimEnd().split("\n");
    const told = lines.map((line) => auditLine.parse(JSON.parse(line))).filter(({ user }) => user.username === "admin");
    const ours = told.filter(({ requestURI }) => !/kept|durable/.test(requestURI));
    assert.deepEqual(
      ours.slice(-2).map(({ verb, objectRef }) => `${verb} ${objectRef.resource}`),
      ["create configmaps", "delete configmaps"],
    );
    assert.ok(told.every(({ objectRef }) => objectRef.resource === "configmaps"));
  });

  it("has 410 for who asks for a revision that was compacted", async () => {
    const { metadata } = listed.parse((await plane.call("GET", `${path}?limit=1`)).body);
    await plane.call("POST", path, configMap("newer"));
    await plane.stopApiServer();
    await plane.compact();
    await plane.startApiServer();
    const answer = await plane.call(
      "GET",
      `${path}?resourceVersion=${metadata.resourceVersion}&resourceVersionMatch=Exact&limit=1`,
    );
    assert.equal(answer.status, 410);
  });

  it("knows service accounts by tokens that live as short as is wished", async () => {
    const accounts = "/api/v1/namespaces/default/serviceaccounts";
    const account = listed.parse((await plane.call("POST", accounts, { metadata: { name: "robot" } })).body);
    const robot = { namespace: "default", name: "robot", uid: account.metadata.uid };
    const userOf = async (token: string) => {
      const { body } = await plane.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", { spec: { token } });
      return reviewed.parse(body).status.user.username;
    };
    assert.equal(await userOf(plane.pki.signToken(robot, 60)), "system:serviceaccount:default:robot");
    assert.equal(await userOf(plane.pki.signToken(robot, -1)), "");
    assert.equal(await userOf(plane.pki.signToken({ ...robot, uid: "another" }, 60)), "");
  });

  it("lets nobody in without a certificate or a token, and ordinary users by RBAC only", async () => {
    assert.equal(await statusFor(plane, {}), 401);
    assert.equal(await statusFor(plane, await plane.pki.issue({ commonName: "nobody-special" })), 403);
    const another = await plane.pki.issue({ commonName: "admin", organizations: ["system:masters"] });
    assert.equal(await statusFor(plane, another), 200);
  });

  it("lets no user past the API server into its database", async () => {
    const { etcd, peer } = portsFile.parse(JSON.parse(await readFile(join(plane.folder, "ports.json"), "utf8")));
    const { certificate: cert, key } = await plane.pki.issue(adminRequest);
    for (const port of [etcd, peer]) {
      const options = { rejectUnauthorized: false, cert, key, agent: false };
      await assert.rejects(once(get(`https://127.0.0.1:${port}/version`, options), "response"), /alert/);
    }
  });
});

it("a control plane goes on at other ports when somebody else has taken its own", { skip }, async (t) => {
  await using first = await startControlPlane();
  assert.equal((await first.call("POST", path, configMap("kept"))).status, 201);
  await first.stop("SIGKILL");
  const ports = portsFile.parse(JSON.parse(await readFile(join(first.folder, "ports.json"), "utf8")));
  await until("the sockets are closed", () => areFree(Object.values(ports)));
  for (const port of Object.values(ports)) {
    const thief = createServer().listen(port, "127.0.0.1");
    t.after(() => thief.close());
    await once(thief, "listening");
  }
  await using second = await ControlPlane.start({ folder: first.folder, binaries: await controlPlaneBinaries() });
  assert.notEqual(second.server, first.server);
  assert.equal((await second.call("GET", `${path}/kept`)).status, 200);
});

it("two control planes are up side by side, and end without a trace of a process", { skip }, async () => {
  const planes = await Promise.all([startControlPlane(), startControlPlane()]);
  const [one, other] = planes;
  assert.equal((await one.call("POST", path, configMap("mine"))).status, 201);
  assert.equal((await other.call("GET", `${path}/mine`)).status, 404);
  for (const plane of planes) {
    await plane[Symbol.asyncDispose]();
    for (const name of ["etcd", "kube-apiserver"]) assert.equal(await findProcess(plane.folder, name), undefined);
  }
});

it("a control plane ends with its test, also with one that is killed", { skip }, async () => {
  const script = `
    import { startControlPlane } from ${JSON.stringify(import.meta.resolve("../../support/control-plane.ts"))};
    const plane = await startControlPlane();
    console.log(plane.folder);
    setInterval(() => {}, 1_000);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout, "data");
  const folder = String(line).trim();
  const etcd = await findProcess(folder, "etcd");
  assert.ok(etcd);
  child.kill("SIGKILL");
  await until(
    "the processes and the folder are gone",
    () => !existsSync(folder) && !existsSync(`/proc/${etcd.pid}/exe`),
  );
});
