import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { describe, it } from "node:test";
import { connect, createServer, type PeerCertificate, TLSSocket } from "node:tls";
import { Authority, formatKubeconfig, type KeyPair } from "./certificates.ts";

const authority = Authority.create("test authority");

/** What a server that asks for client certificates sees of a client, over a real connection. */
async function handshake(
  server: KeyPair,
  client: { readonly pair?: KeyPair; readonly ca: string; readonly host: string },
): Promise<PeerCertificate> {
  const listener = createServer({
    cert: server.certificate,
    key: server.key,
    ca: authority.pair.certificate,
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

const server = authority.issue({ commonName: "a server", hosts: ["localhost", "127.0.0.1", "::1"] });
const user = authority.issue({ commonName: "ann", organizations: ["admins", "people"] });
const ca = authority.pair.certificate;

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
    const foreign = Authority.create("test authority");
    await assert.rejects(handshake(server, { ca, host: "localhost" }));
    await assert.rejects(handshake(server, { ca, host: "localhost", pair: foreign.issue({ commonName: "ann" }) }));
    await assert.rejects(handshake(server, { pair: user, ca, host: "elsewhere" }));
    await assert.rejects(handshake(server, { pair: user, ca: foreign.pair.certificate, host: "localhost" }));
  });

  it("don't serve for a client's own host", async () => {
    const client = authority.issue({ commonName: "localhost" });
    await assert.rejects(handshake(client, { pair: user, ca, host: "localhost" }));
  });

  it("end when they shall", async () => {
    const short = new X509Certificate(authority.issue({ commonName: "ann", lifetimeMs: 5_000 }).certificate);
    const leftMs = short.validToDate.getTime() - Date.now();
    assert.ok(leftMs > 3_000 && leftMs <= 5_000, `${leftMs} ms left`);
    const past = authority.issue({ commonName: "ann", lifetimeMs: -1_000 });
    await assert.rejects(handshake(server, { pair: past, ca, host: "localhost" }));
  });

  it("come from an authority that was loaded again, too", async () => {
    const pair = Authority.load(authority.pair).issue({ commonName: "ben" });
    assert.equal((await handshake(server, { pair, ca, host: "localhost" })).subject.CN, "ben");
  });
});

describe("a kubeconfig", () => {
  it("holds the certificate of a user, or the token", () => {
    const options = { cluster: "one", server: "https://127.0.0.1:1", authority: ca };
    const config = JSON.parse(formatKubeconfig({ ...options, user, namespace: "home" }));
    assert.deepEqual(config.users[0].user, {
      "client-certificate-data": Buffer.from(user.certificate).toString("base64"),
      "client-key-data": Buffer.from(user.key).toString("base64"),
    });
    assert.deepEqual(config.contexts, [{ name: "one", context: { cluster: "one", user: "one", namespace: "home" } }]);
    assert.equal(config["current-context"], "one");
    const other = JSON.parse(formatKubeconfig({ ...options, user: { token: "t" } }));
    assert.deepEqual(other.users[0].user, { token: "t" });
  });
});
