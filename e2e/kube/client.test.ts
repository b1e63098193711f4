import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import type { Identity } from "@copepod/kube/client/access";
import type { KubeClient, WatchEvent } from "@copepod/kube/client/client";
import { inCluster } from "@copepod/kube/client/in-cluster";
import { createKubeClient, type KubeClientParts } from "@copepod/kube/client/kube-client";
import { kubeconfig } from "@copepod/kube/client/kubeconfig";
import { connectTimeoutMs } from "@copepod/kube/client/limits";
import { systemClock } from "@copepod/kube/clock";
import { isAlreadyExists, isConflict, isExpired, isNotFound } from "@copepod/kube/errors";
import type { Resource } from "@copepod/kube/object";
import { TestClock } from "@copepod/kube/testing/clock";
import type { ControlPlane } from "../cluster/control-plane/control-plane.ts";
import { createAuthority, type KeyPair } from "../cluster/pki/certificates.ts";
import { adminRequest } from "../cluster/pki/pki.ts";
import { controlPlaneGate, startControlPlane } from "../support/control-plane.ts";
import { until } from "../support/until.ts";
import { ConnectProxy } from "./support/connect-proxy.ts";
import { FaultProxy } from "./support/fault-proxy.ts";
import { HttpFaults } from "./support/http-faults.ts";

const maps: Resource = { group: "", version: "v1", kind: "ConfigMap", plural: "configmaps", namespaced: true };
const accounts: Resource = { ...maps, kind: "ServiceAccount", plural: "serviceaccounts" };
const namespace = "default";
const watchOptions = { namespace, timeoutSeconds: 300, inactivityMs: 60_000 };
/** More calls than the default rate lets through at once. */
const unlimited = { perSecond: 100_000, burst: 100_000 };
/** An outage as long as in production takes a minute; here it is as long as a few pauses of a call. */
const outageMs = 1_500;

let made = 0;
const freshName = () => ({ namespace, name: `object-${++made}` });

describe("the Kubernetes client on a real API server", { skip: await controlPlaneGate() }, () => {
  let plane: ControlPlane;
  let admin: KeyPair;
  let client: KubeClient;

  before(async () => {
    plane = await startControlPlane();
    admin = await plane.pki.issue(adminRequest);
    client = makeClient(kubeconfig({ files: [plane.kubeconfig] }));
  });

  after(async () => {
    await client.close();
    await plane[Symbol.asyncDispose]();
  });

  /** A client that reaches the API server through something else, as its admin. */
  const through = (t: TestContext, server: string, parts: Partial<KubeClientParts> = {}, proxyUrl?: string) => {
    const { certificate: cert, key } = admin;
    const endpoint = { server, ca: plane.pki.authority, cert, key, ...(proxyUrl !== undefined && { proxyUrl }) };
    const made = makeClient(async () => ({ endpoint, headers: {} }), parts);
    t.after(() => made.close());
    return made;
  };

  describe("writes", () => {
    it("and reads back, with unknown fields refused", async () => {
      const name = freshName();
      const created = await client.create(maps, { metadata: name, data: { text: "Grüße 🐬" } });
      assert.deepEqual((await client.get(maps, name)).data, { text: "Grüße 🐬" });
      assert.deepEqual(created.metadata.managedFields?.length, 1);
      await assert.rejects(client.create(maps, { metadata: freshName(), dta: {} }), /unknown field "dta"/);
      await assert.rejects(client.mergePatch(maps, name, { dta: {} }), /unknown field "dta"/);
      await assert.rejects(client.create(maps, { metadata: name }), isAlreadyExists);
    });

    it("only to the object that is meant: its uid and its resourceVersion", async () => {
      const name = freshName();
      const { uid = "", resourceVersion = "" } = (await client.create(maps, { metadata: name })).metadata;
      const patched = await client.mergePatch(maps, { ...name, uid, resourceVersion }, { data: { a: "1" } });
      assert.deepEqual(patched.data, { a: "1" });
      for (const target of [
        { ...name, uid: "another" },
        { ...name, resourceVersion },
      ]) {
        await assert.rejects(client.mergePatch(maps, target, { data: { a: "2" } }), isConflict);
        await assert.rejects(client.delete(maps, target), isConflict);
      }
      await client.delete(maps, { ...name, uid });
      await client.delete(maps, { ...name, uid });
      await assert.rejects(client.get(maps, name), isNotFound);
      await assert.rejects(client.mergePatch(maps, { ...name, uid }, { data: {} }), isNotFound);
    });

    it("by server-side apply, with its conflicts told by field", async () => {
      const metadata = freshName();
      await client.apply(maps, { metadata, data: { a: "1" } }, { fieldManager: "one" });
      const other = { fieldManager: "two" };
      await assert.rejects(client.apply(maps, { metadata, data: { a: "2" } }, other), (error) => {
        assert.ok(isConflict(error));
        assert.ok(error instanceof Object && "causes" in error);
        assert.deepEqual(error.causes, [{ field: ".data.a", message: 'conflict with "one"' }]);
        return true;
      });
      const forced = await client.apply(maps, { metadata, data: { a: "2" } }, { ...other, force: true });
      assert.deepEqual(forced.data, { a: "2" });
    });
  });

  describe("reads", () => {
    it("page by page, from one snapshot", async () => {
      const labels = { of: "pages" };
      for (let at = 0; at < 5; at++) await client.create(maps, { metadata: { ...freshName(), labels } });
      const options = { namespace, labelSelector: "of=pages", limit: 2 };
      const first = await client.page(maps, options);
      assert.equal(first.items.length, 2);
      assert.equal(first.items[0]?.kind, "ConfigMap");
      await client.create(maps, { metadata: { ...freshName(), labels } });
      const { continueToken = "" } = first;
      const second = await client.page(maps, { ...options, continueToken });
      assert.equal(second.resourceVersion, first.resourceVersion);
      const third = await client.page(maps, { ...options, continueToken: second.continueToken ?? "" });
      assert.deepEqual(
        [second, third].map(({ items }) => items.length),
        [2, 1],
      );
      assert.equal(third.continueToken, undefined);
    });

    it("three hundred times over one or two connections", async (t) => {
      await using proxy = await FaultProxy.start(plane.server);
      const calls = through(t, proxy.url, { rate: unlimited });
      const metadata = freshName();
      await calls.create(maps, { metadata });
      for (let call = 0; call < 300; call++) await calls.get(maps, metadata);
      assert.ok(proxy.opened <= 2, `${proxy.opened} connections`);
    });

    it("without being held up by watches, whose connections are their own", async (t) => {
      await using proxy = await FaultProxy.start(plane.server);
      const calls = through(t, proxy.url);
      const metadata = freshName();
      const { resourceVersion = "" } = (await calls.create(maps, { metadata })).metadata;
      const aborter = new AbortController();
      await Promise.all(
        Array.from({ length: 60 }, async () => {
          await new Promise<void>((opened) => {
            const options = { ...watchOptions, resourceVersion, signal: aborter.signal, opened };
            Array.fromAsync(calls.watch(maps, options)).catch(() => undefined);
          });
        }),
      );
      await calls.get(maps, metadata);
      assert.equal(proxy.open, 61);
      aborter.abort();
    });
  });

  describe("a watch", () => {
    it("gives what happens from a version on, until the client is closed", async (t) => {
      const watched = makeClient(kubeconfig({ files: [plane.kubeconfig] }));
      t.after(() => watched.close());
      const metadata = freshName();
      const { resourceVersion = "" } = (await client.create(maps, { metadata })).metadata;
      const fieldSelector = `metadata.name=${metadata.name}`;
      const seen: WatchEvent[] = [];
      const options = { ...watchOptions, resourceVersion, fieldSelector };
      const watching = collect(watched.watch(maps, options), seen);
      await client.mergePatch(maps, metadata, { data: { text: "🐬" } });
      await client.delete(maps, metadata);
      await until("both events", () => seen.length === 2);
      assert.deepEqual(
        seen.map(({ type }) => type),
        ["MODIFIED", "DELETED"],
      );
      await watched.close();
      await assert.rejects(watching, { code: "unavailable" });
    });

    it("ends in good order when its time is over", async () => {
      const { resourceVersion } = await client.page(maps, { namespace });
      const options = { ...watchOptions, resourceVersion, fieldSelector: "metadata.name=none", timeoutSeconds: 1 };
      const events = await Array.fromAsync(client.watch(maps, options));
      assert.ok(events.every(({ type }) => type === "BOOKMARK"));
    });

    it("fails when it is cut in the middle of a line, after the events before", async (t) => {
      await using faults = await HttpFaults.start(plane);
      const metadata = freshName();
      const { resourceVersion = "" } = (await client.create(maps, { metadata })).metadata;
      await client.mergePatch(maps, metadata, { data: { text: "first" } });
      await client.mergePatch(maps, metadata, { data: { text: "second" } });
      const options = { ...watchOptions, resourceVersion, fieldSelector: `metadata.name=${metadata.name}` };
      const calls = through(t, faults.url);
      const whole: WatchEvent[] = [];
      for await (const event of calls.watch(maps, options)) if (whole.push(event) === 2) break;
      faults.cutAfterBytes = whole.reduce((sum, event) => sum + Buffer.byteLength(JSON.stringify(event)), 0) - 20;
      const seen: WatchEvent[] = [];
      await assert.rejects(collect(calls.watch(maps, options), seen), { code: "clusterUnavailable" });
      assert.deepEqual(seen, whole.slice(0, 1));
    });

    it("fails soon when its connection is reset, or when the API server is killed", async (t) => {
      await using proxy = await FaultProxy.start(plane.server);
      const calls = through(t, proxy.url);
      t.after(() => plane.startApiServer());
      for (const harm of [() => proxy.reset(), () => plane.stopApiServer("SIGKILL")]) {
        const { resourceVersion } = await client.page(maps, { namespace });
        const opened = Promise.withResolvers<void>();
        const options = { ...watchOptions, resourceVersion, opened: opened.resolve };
        const ended = assert.rejects(Array.fromAsync(calls.watch(maps, options)), { code: "clusterUnavailable" });
        await opened.promise;
        await harm();
        await ended;
      }
    });

    it("fails when nothing comes any more, though the connection is open", async (t) => {
      await using proxy = await FaultProxy.start(plane.server);
      const { resourceVersion } = await client.page(maps, { namespace });
      const opened = () => {
        proxy.fault = { kind: "hang" };
      };
      const options = { ...watchOptions, resourceVersion, opened, inactivityMs: 200 };
      await assert.rejects(Array.fromAsync(through(t, proxy.url).watch(maps, options)), /nothing came for 200 ms/);
    });
  });

  describe("a call", () => {
    it("gets its answer over a network that is slow, late, or resets all connections once", async (t) => {
      await using proxy = await FaultProxy.start(plane.server);
      const calls = through(t, proxy.url);
      const name = freshName();
      await calls.create(maps, { metadata: name, data: { text: "x".repeat(20_000) } });
      for (const fault of [
        { kind: "slow", bytesPerSecond: 50_000 },
        { kind: "delay", ms: 100 },
      ] as const) {
        proxy.fault = fault;
        assert.equal((await calls.get(maps, name)).metadata.name, name.name);
      }
      proxy.fault = { kind: "cut", afterBytes: 5_000 };
      const cut = calls.get(maps, name);
      await until("the cut", () => proxy.open === 0);
      proxy.fault = { kind: "pass" };
      assert.equal((await cut).metadata.name, name.name);
    });

    it("ends in its time when the connection hangs, and the next one is served", async (t) => {
      await using proxy = await FaultProxy.start(plane.server);
      const calls = through(t, proxy.url);
      const metadata = freshName();
      await calls.create(maps, { metadata });
      proxy.fault = { kind: "hang" };
      await assert.rejects(calls.get(maps, metadata, { timeoutMs: 300 }), {
        code: "clusterUnavailable",
        message: `get configmaps default/${metadata.name}: not done within 300 ms`,
      });
      proxy.fault = { kind: "pass" };
      await calls.get(maps, metadata);
    });

    it("waits as long as a busy server asks for, creates too", async (t) => {
      await using faults = await HttpFaults.start(plane);
      const answers = [{ status: 429, headers: { "retry-after": "1" } }];
      faults.answer = () => answers.pop();
      const startedAt = performance.now();
      await through(t, faults.url).create(maps, { metadata: freshName() });
      assert.ok(performance.now() - startedAt >= 1_000);
      assert.equal(faults.requests.length, 2);
    });

    it("outlasts a time of 5xx when it may be repeated, and makes nothing twice when not", async (t) => {
      await using faults = await HttpFaults.start(plane);
      const metadata = freshName();
      await client.create(maps, { metadata });
      const calls = through(t, faults.url);
      const end = performance.now() + outageMs;
      faults.answer = () => (performance.now() < end ? { status: 503 } : undefined);
      const create = calls.create(maps, { metadata: freshName() });
      await assert.rejects(create, { code: "clusterUnavailable", status: 503 });
      const [read, applied] = await Promise.all([
        calls.get(maps, metadata),
        calls.apply(maps, { metadata, data: { a: "1" } }, { fieldManager: "one" }),
      ]);
      assert.equal(read.metadata.uid, applied.metadata.uid);
      assert.ok(faults.requests.length > 6);
      assert.equal(faults.requests.filter((request) => request.startsWith("POST")).length, 1);
    });

    it("outlasts a restart of a killed API server, creates too when nobody listens; what it no longer knows is a 410", async (t) => {
      const metadata = freshName();
      const { resourceVersion, continueToken = "" } = await client.page(maps, { limit: 1 });
      await client.create(maps, { metadata });
      await plane.stopApiServer("SIGKILL");
      const other = freshName();
      const read = client.get(maps, metadata, { timeoutMs: 60_000 });
      const created = through(t, plane.server).create(maps, { metadata: other }, { timeoutMs: 60_000 });
      await plane.startApiServer();
      assert.equal((await read).metadata.name, metadata.name);
      assert.equal((await created).metadata.name, other.name);
      await plane.compact();
      await assert.rejects(client.page(maps, { continueToken }), isExpired);
      await assert.rejects(Array.fromAsync(client.watch(maps, { ...watchOptions, resourceVersion })), isExpired);
    });
  });

  it("goes through an HTTP proxy as without one", async (t) => {
    await using proxy = await ConnectProxy.start();
    await using faults = await HttpFaults.start(plane);
    const calls = through(t, faults.url, {}, proxy.url);
    const answers: ("drop" | undefined)[] = ["drop", undefined];
    faults.answer = () => answers.shift();
    await assert.rejects(calls.create(maps, { metadata: freshName() }), { code: "clusterUnavailable" });
    assert.equal(faults.requests.length, 1);
    const name = freshName();
    await calls.create(maps, { metadata: name });
    await calls.get(maps, name);
    for await (const _ of calls.watch(maps, { ...watchOptions, resourceVersion: "0" })) break;
    const { host } = new URL(faults.url);
    assert.deepEqual(proxy.tunnels, [host, host, host]);
    // The time for a connection has nothing to do with an answer that comes late.
    const time = new TestClock();
    faults.answer = () => void time.pass(connectTimeoutMs);
    await through(t, faults.url, { clock: time }, proxy.url).create(maps, { metadata: freshName() });
  });

  describe("the identity", () => {
    it("of a service account is read again when its token has expired", async (t) => {
      const account = { namespace, name: `account-${++made}` };
      const { uid = "" } = (await client.create(accounts, { metadata: account })).metadata;
      await allowAll(plane, account);
      const folder = await temporaryFolder(t);
      const write = (lifetimeSeconds: number) =>
        writeFile(join(folder, "token"), plane.pki.signToken({ ...account, uid }, lifetimeSeconds));
      await writeFile(join(folder, "ca.crt"), plane.pki.authority);
      await write(-60);
      const { hostname: host, port } = new URL(plane.server);
      const pod = makeClient(inCluster({ host, port, folder }));
      t.after(() => pod.close());
      const metadata = freshName();
      await assert.rejects(pod.create(maps, { metadata }), (error) => {
        assert.ok(error instanceof Error && "code" in error);
        assert.equal(error.code, "unauthorized");
        return !error.message.includes("eyJ");
      });
      await write(600);
      await pod.create(maps, { metadata });
    });

    it("of a certificate is another one as soon as the kubeconfig is", async (t) => {
      const file = join(await temporaryFolder(t), "kubeconfig");
      const write = async (commonName: string, lifetimeMs?: number) => {
        const request = { ...adminRequest, commonName, ...(lifetimeMs !== undefined && { lifetimeMs }) };
        const user = await plane.pki.issue(request);
        await plane.pki.writeKubeconfig(file, { cluster: "test", server: plane.server, user });
      };
      await write("old", -60_000);
      const user = makeClient(kubeconfig({ files: [file] }));
      t.after(() => user.close());
      const metadata = freshName();
      await assert.rejects(user.create(maps, { metadata }), { code: "unauthorized" });
      await write("new");
      await user.create(maps, { metadata });
    });

    it("of the server may change: the new authority counts at the next try", async (t) => {
      const folder = await temporaryFolder(t);
      const other = await createAuthority("another authority");
      await writeFile(join(folder, "ca.crt"), other.certificate);
      await writeFile(join(folder, "token"), "none");
      const { hostname: host, port } = new URL(plane.server);
      const pod = makeClient(inCluster({ host, port, folder }));
      t.after(() => pod.close());
      const tried = assert.rejects(pod.get(maps, freshName()), { code: "unauthorized" });
      await writeFile(join(folder, "ca.crt"), plane.pki.authority);
      await tried;
    });
  });
});

const makeClient = (identity: Identity, parts: Partial<KubeClientParts> = {}): KubeClient =>
  createKubeClient({ identity, userAgent: "client-test/1", clock: systemClock, random: Math.random, ...parts });

async function collect(events: AsyncIterable<WatchEvent>, into: WatchEvent[]): Promise<void> {
  for await (const event of events) into.push(event);
}

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "client-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

async function allowAll(plane: ControlPlane, account: { readonly namespace: string; readonly name: string }) {
  const answer = await plane.call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: account.name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    subjects: [{ kind: "ServiceAccount", ...account }],
  });
  assert.equal(answer.status, 201);
}
