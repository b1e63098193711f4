import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { connect, createServer, type PeerCertificate, TLSSocket } from "node:tls";
import { createAuthority, issueCertificate, type KeyPair } from "./certificates.ts";
import { formatKubeconfig } from "./kubeconfig.ts";

const authority = await createAuthority("test authority");

/** What a server that asks for client certificates sees of a client, over a real connection. */
async function handshake(
  server: KeyPair,
  client: { readonly pair?: KeyPair; readonly ca: string; readonly host: string },
): Promise<PeerCertificate> {
  const listener = createServer({
    cert: server.certificate,
    key: server.key,
    ca: authority.certificate,
    requestCert: true,
    rejectUnauthorized: true,
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  try {
    const address = listener.address();
    const port = typeof address === "object" ? address?.port : undefined;
    const accepted = once(listener, "secureConnection");
    const refused = once(listener, "tlsClientError").then(([error]) => Promise.reject(error));
    const socket = connect({
      host: "127.0.0.1",
      port,
      servername: client.host,
      ca: client.ca,
      cert: client.pair?.certificate,
      key: client.pair?.key,
    });
    try {
      await once(socket, "secureConnect");
      const [seen] = await Promise.race([accepted, refused]);
      assert.ok(seen instanceof TLSSocket);
      return seen.getPeerCertificate();
    } finally {
      socket.destroy();
      accepted.catch(() => {});
      refused.catch(() => {});
    }
  } finally {
    listener.close();
  }
}

const server = await issueCertificate(authority, { commonName: "a server", hosts: ["localhost", "127.0.0.1", "::1"] });
const user = await issueCertificate(authority, { commonName: "ann", organizations: ["admins", "people"] });
const ca = authority.certificate;

describe("certificates of an own authority", () => {
  it("let a client in, with its name and its groups", async () => {
    const { subject } = await handshake(server, { pair: user, ca, host: "localhost" });
    assert.equal(subject.CN, "ann");
    assert.deepEqual(subject.O, ["admins", "people"]);
  });

  it("name the hosts of a server, addresses included", () => {
    const certificate = new X509Certificate(server.certificate);
    assert.equal(certificate.checkHost("localhost"), "localhost");
    assert.equal(certificate.checkIP("127.0.0.1"), "127.0.0.1");
    assert.equal(certificate.checkIP("::1"), "::1");
    assert.equal(certificate.checkIP("127.0.0.2"), undefined);
    assert.equal(certificate.ca, false);
  });

  it("don't let in who has none, or one of another authority, and don't fool a client about the host", async () => {
    const foreign = await createAuthority("test authority");
    const foreigner = await issueCertificate(foreign, { commonName: "ann" });
    await assert.rejects(handshake(server, { ca, host: "localhost" }));
    await assert.rejects(handshake(server, { ca, host: "localhost", pair: foreigner }));
    await assert.rejects(handshake(server, { pair: user, ca, host: "elsewhere" }));
    await assert.rejects(handshake(server, { pair: user, ca: foreign.certificate, host: "localhost" }));
  });

  it("don't serve for a client's own host", async () => {
    const client = await issueCertificate(authority, { commonName: "localhost" });
    await assert.rejects(handshake(client, { pair: user, ca, host: "localhost" }));
  });

  it("end when they shall", async () => {
    const short = new X509Certificate(
      (await issueCertificate(authority, { commonName: "ann", lifetimeMs: 5_000 })).certificate,
    );
    const leftMs = short.validToDate.getTime() - Date.now();
    assert.ok(leftMs > 3_000 && leftMs <= 5_000, `${leftMs} ms left`);
    const past = await issueCertificate(authority, { commonName: "ann", lifetimeMs: -1_000 });
    await assert.rejects(handshake(server, { pair: past, ca, host: "localhost" }));
  });

  it("pass the strict rules of OpenSSL", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "certificates-"));
    t.after(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, "ca.crt"), ca);
    for (const [purpose, pair] of Object.entries({ sslserver: server, sslclient: user })) {
      await writeFile(join(folder, "one.crt"), pair.certificate);
      const words = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.crt", "one.crt"];
      const { status, stdout, stderr } = spawnSync("openssl", words, { cwd: folder, encoding: "utf8" });
      assert.equal(status, 0, `${stdout}${stderr}`);
    }
  });
});

describe("a kubeconfig", () => {
  it("holds the certificate of a user, or the token", () => {
    const options = { cluster: "one", server: "https://127.0.0.1:1", authority: ca };
    const config = JSON.parse(formatKubeconfig({ ...options, user }));
    assert.deepEqual(config.users[0].user, {
      "client-certificate-data": Buffer.from(user.certificate).toString("base64"),
      "client-key-data": Buffer.from(user.key).toString("base64"),
    });
    assert.deepEqual(config.contexts, [{ name: "one", context: { cluster: "one", user: "one" } }]);
    assert.equal(config["current-context"], "one");
    const other = JSON.parse(formatKubeconfig({ ...options, user: { token: "t" } }));
    assert.deepEqual(other.users[0].user, { token: "t" });
  });
});
