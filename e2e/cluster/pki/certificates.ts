import { createPrivateKey, KeyObject } from "node:crypto";
import { isIP } from "node:net";

const dayMs = 86_400_000;
const authorityLifetimeMs = 3_650 * dayMs;
const defaultLifetimeMs = 365 * dayMs;
/** Clocks of nodes need not be quite the same. */
const backdatedMs = 300_000;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateRequest {
  /** The user's name for the API server, or what a server calls itself. */
  readonly commonName: string;
  /** The user's groups for the API server. */
  readonly organizations?: readonly string[];
  /** DNS names and addresses of a server. Without one the certificate is good for a client only. */
  readonly hosts?: readonly string[];
  /** A year without it. */
  readonly lifetimeMs?: number;
}

/** A certificate authority of its own. */
export async function createAuthority(commonName: string): Promise<KeyPair> {
  const x509 = await library();
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [commonName] }],
    keys,
    ...validity(authorityLifetimeMs),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: certificate.toString("pem"), key: pem(keys.privateKey) };
}

export async function issueCertificate(
  authority: KeyPair,
  { commonName, organizations = [], hosts = [], lifetimeMs = defaultLifetimeMs }: CertificateRequest,
): Promise<KeyPair> {
  const x509 = await library();
  const keys = await newKeys();
  const issuer = new x509.X509Certificate(authority.certificate);
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  const isServer = hosts.length > 0;
  const names = hosts.map((value) => ({ type: isIP(value) ? "ip" : "dns", value }) as const);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [...organizations.map((organization) => ({ O: [organization] })), { CN: [commonName] }],
    issuer: issuer.subjectName.toJSON(),
    publicKey: keys.publicKey,
    signingKey: createPrivateKey(authority.key).toCryptoKey(algorithm, false, ["sign"]),
    ...validity(lifetimeMs),
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(isServer ? [serverAuth, clientAuth] : [clientAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(isServer ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  return { certificate: certificate.toString("pem"), key: pem(keys.privateKey) };
}

/** Loaded only when a certificate has to be made: it takes a tenth of a second. */
async function library() {
  await import("reflect-metadata");
  return await import("@peculiar/x509");
}

const newKeys = () => crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
const pem = (key: CryptoKey): string => KeyObject.from(key).export({ type: "pkcs8", format: "pem" }).toString();

function validity(lifetimeMs: number) {
  const now = Date.now();
  return {
    notBefore: new Date(now - backdatedMs),
    notAfter: new Date(now + lifetimeMs),
    signingAlgorithm: algorithm,
  };
}
