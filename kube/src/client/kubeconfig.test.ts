import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kill } from "node:process";
import { after, before, describe, it } from "node:test";
import { kubeconfig, kubeconfigNamespace } from "./kubeconfig.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "kubeconfig-"));
});
after(() => rm(folder, { recursive: true }));

describe("a kubeconfig", () => {
  it("gives certificates and keys, in it or in files beside it, as they are now", async () => {
    await put("client.crt", "cert 1");
    await put("client.key", "key 1");
    const file = await write("certificates", {
      cluster: { server: "https://api:6443", "certificate-authority-data": base64("ca") },
      user: { "client-certificate": "client.crt", "client-key": "client.key" },
    });
    const read = kubeconfig({ files: [file] });
    const endpoint = { server: "https://api:6443", ca: "ca", cert: "cert 1", key: "key 1" };
    assert.deepEqual(await read(false), { endpoint, headers: {} });
    await put("client.crt", "cert 2");
    assert.deepEqual((await read(false)).endpoint, { ...endpoint, cert: "cert 2" });
  });

  it("gives tokens and passwords as headers", async () => {
    const cluster = { server: "https://api" };
    const users = {
      token: [{ token: "sesame" }, "Bearer sesame"],
      password: [{ username: "a", password: "b" }, `Basic ${base64("a:b")}`],
    } as const;
    for (const [name, [user, authorization]] of Object.entries(users)) {
      const read = kubeconfig({ files: [await write(name, { cluster, user })] });
      assert.deepEqual((await read(false)).headers, { authorization });
    }
  });

  it("counts as it is now when it is written anew", async () => {
    const cluster = { server: "https://api" };
    const read = kubeconfig({ files: [await write("renewed", { cluster, user: { token: "old" } })] });
    await read(false);
    await write("renewed", { cluster, user: { token: "new" } });
    assert.deepEqual((await read(false)).headers, { authorization: "Bearer new" });
  });

  it("says how the server is to be trusted, and what stands before it", async () => {
    const cluster = {
      server: "https://api",
      "insecure-skip-tls-verify": true,
      "tls-server-name": "other",
      "proxy-url": "http://proxy:3128",
    };
    const read = kubeconfig({ files: [await write("proxied", { cluster, user: {} })] });
    assert.deepEqual((await read(false)).endpoint, {
      server: "https://api",
      insecure: true,
      servername: "other",
      proxyUrl: "http://proxy:3128",
    });
  });

  it("asks a plug-in once, and anew when what it gave was refused", async () => {
    const count = join(folder, "count");
    const plugin = join(folder, "plugin.sh");
    const credential = '{"kind":"ExecCredential","status":{"token":"\'$n\'"}}';
    await writeFile(plugin, `#!/bin/sh\necho >> ${count}\nn=$(wc -l < ${count})\necho '${credential}'\n`);
    await chmod(plugin, 0o700);
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin };
    const read = kubeconfig({ files: [await write("plugin", { cluster: { server: "https://api" }, user: { exec } })] });
    const tokens: unknown[] = [];
    for (const anew of [false, false, true, false]) tokens.push((await read(anew)).headers.authorization);
    assert.deepEqual(tokens, ["Bearer 1", "Bearer 1", "Bearer 2", "Bearer 2"]);
  });

  it("ends a plug-in that hangs together with its reading", async (t) => {
    const pid = join(folder, "pid");
    const plugin = await put("hangs.sh", `#!/bin/sh\necho $$ > ${pid}.new\nmv ${pid}.new ${pid}\nexec sleep 600\n`);
    await chmod(plugin, 0o700);
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: plugin };
    const read = kubeconfig({ files: [await write("hangs", { cluster: { server: "https://api" }, user: { exec } })] });
    const aborter = new AbortController();
    const hung = assert.rejects(read(false, aborter.signal));
    const process = await t.waitFor(async () => Number(await readFile(pid, "utf8")));
    aborter.abort();
    await hung;
    assert.throws(() => kill(process, 0), { code: "ESRCH" });
  });

  it("may be several files, of which the first one that names something counts", async () => {
    const first = await write("first", { cluster: { server: "https://first" }, user: { token: "first" } });
    const second = await write("second", { cluster: { server: "https://second" }, user: { token: "second" } });
    const both = { files: [first, second] } as const;
    assert.equal((await kubeconfig(both)(false)).endpoint.server, "https://first");
    assert.equal((await kubeconfig({ ...both, context: "second" })(false)).endpoint.server, "https://second");
  });

  it("may name a namespace for its context", async () => {
    const cluster = { server: "https://a" };
    const named = await write("named", { cluster, user: {}, namespace: "team" });
    assert.equal(await kubeconfigNamespace({ files: [named] }), "team");
    assert.equal(await kubeconfigNamespace({ files: [await write("bare", { cluster, user: {} })] }), undefined);
  });

  it("is what is left of its files when others are missing or empty", async () => {
    const there = await write("there", { cluster: { server: "https://there" }, user: {} });
    const missing = join(folder, "missing");
    const empty = await put("empty", "\n");
    assert.equal((await kubeconfig({ files: [missing, empty, there] })(false)).endpoint.server, "https://there");
    await assert.rejects(kubeconfig({ files: [missing, empty] })(false), {
      code: "invalid",
      message: /missing, .*empty/,
    });
  });

  it("may name another user to act as, and is refused where it says more of that user", async () => {
    const cluster = { server: "https://api" };
    const user = { token: "a", as: "jane" };
    const plain = await write("as", { cluster, user });
    assert.equal((await kubeconfig({ files: [plain] })(false)).headers["impersonate-user"], "jane");
    const groups = await write("as-more", { cluster, user: { ...user, "as-groups": ["g"] } });
    await assert.rejects(kubeconfig({ files: [groups] })(false), { code: "invalid", message: /more than `as`/ });
  });

  it("is refused without a cluster for its context, and with a proxy that can't be used", async () => {
    const file = await write("refused", { cluster: { server: "https://a", "proxy-url": "socks5://b" }, user: {} });
    await assert.rejects(kubeconfig({ files: [file] })(false), /SOCKS/);
    await assert.rejects(kubeconfig({ files: [file], context: "none" })(false), {
      code: "invalid",
      message: /\(none\)/,
    });
  });
});

async function put(name: string, text: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text);
  return file;
}

interface Named {
  readonly cluster: object;
  readonly user: object;
  readonly namespace?: string;
}

async function write(name: string, { cluster, user, namespace }: Named) {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, namespace } }],
    "current-context": name,
  };
  return await put(name, JSON.stringify(config));
}
