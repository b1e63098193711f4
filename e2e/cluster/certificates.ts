import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { isIP } from "node:net";
import { bits, context, type Der, integer, octets, oid, sequence, set, text, time, truth } from "./der.ts";

const dayMs = 86_400_000;
const authorityLifetimeMs = 3_650 * dayMs;
const defaultLifetimeMs = 365 * dayMs;
/** Clocks of nodes need not be quite the same. */
const backdatedMs = 300_000;

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

/** A certificate authority of its own. Keys are P-256. */
export class Authority {
  readonly pair: KeyPair;
  readonly #key: KeyObject;
  readonly #name: Der;

  private constructor(pair: KeyPair, commonName: string) {
    this.pair = pair;
    this.#key = createPrivateKey(pair.key);
    this.#name = distinguishedName(commonName, []);
  }

  static create(commonName: string): Authority {
    const { privateKey, publicKey } = newKey();
    const name = distinguishedName(commonName, []);
    const certificate = encode({
      issuer: name,
      signer: privateKey,
      subject: name,
      publicKey,
      lifetimeMs: authorityLifetimeMs,
      extensions: [
        extension(ids.basicConstraints, sequence(truth), "critical"),
        // keyCertSign and cRLSign
        extension(ids.keyUsage, bits(Buffer.from([0x06]), 1), "critical"),
        extension(ids.subjectKeyId, octets(keyId(publicKey))),
      ],
    });
    return new Authority({ certificate, key: pem(privateKey) }, commonName);
  }

  /** One that was created earlier. */
  static load(pair: KeyPair): Authority {
    return new Authority(pair, new X509Certificate(pair.certificate).subject.replace(/^CN=/, ""));
  }

  issue({ commonName, organizations = [], hosts = [], lifetimeMs = defaultLifetimeMs }: CertificateRequest): KeyPair {
    const { privateKey, publicKey } = newKey();
    const usages = hosts.length > 0 ? [ids.serverAuth, ids.clientAuth] : [ids.clientAuth];
    const certificate = encode({
      issuer: this.#name,
      signer: this.#key,
      subject: distinguishedName(commonName, organizations),
      publicKey,
      lifetimeMs,
      extensions: [
        // digitalSignature
        extension(ids.keyUsage, bits(Buffer.from([0x80]), 7), "critical"),
        extension(ids.extendedKeyUsage, sequence(...usages.map(oid))),
        extension(ids.authorityKeyId, sequence(context(0, keyId(createPublicKey(this.#key)), "plain"))),
        ...(hosts.length > 0 ? [extension(ids.alternativeNames, sequence(...hosts.map(alternativeName)))] : []),
      ],
    });
    return { certificate, key: pem(privateKey) };
  }
}

/** What signs the tokens of service accounts, and what checks them. PEM. */
export function createServiceAccountKeys(): { readonly publicKey: string; readonly privateKey: string } {
  const { privateKey, publicKey } = newKey();
  return { publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(), privateKey: pem(privateKey) };
}

export interface KubeconfigOptions {
  readonly cluster: string;
  /** Such as `https://127.0.0.1:6443`. */
  readonly server: string;
  /** PEM of the authority's certificate. */
  readonly authority: string;
  readonly user: KeyPair | { readonly token: string };
  readonly namespace?: string;
}

/** A kubeconfig that holds everything in itself. JSON, which is YAML. */
export function formatKubeconfig({ cluster, server, authority, user, namespace }: KubeconfigOptions): string {
  const credentials =
    "token" in user
      ? { token: user.token }
      : { "client-certificate-data": base64(user.certificate), "client-key-data": base64(user.key) };
  const name = cluster;
  return `${JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server, "certificate-authority-data": base64(authority) } }],
    users: [{ name, user: credentials }],
    contexts: [{ name, context: { cluster: name, user: name, ...(namespace === undefined ? {} : { namespace }) } }],
    "current-context": name,
  })}\n`;
}

const base64 = (pem: string): string => Buffer.from(pem).toString("base64");

const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();
const keyId = (key: KeyObject): Buffer => createHash("sha1").update(spki(key)).digest();
const spki = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" });

const ids = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  subjectKeyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  alternativeNames: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyId: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

interface Content {
  readonly issuer: Der;
  readonly signer: KeyObject;
  readonly subject: Der;
  readonly publicKey: KeyObject;
  readonly lifetimeMs: number;
  readonly extensions: readonly Der[];
}

/** RFC 5280, section 4.1. */
function encode({ issuer, signer, subject, publicKey, lifetimeMs, extensions }: Content): string {
  const now = Date.now();
  const algorithm = sequence(oid(ids.ecdsaWithSha256));
  const serial = randomBytes(16);
  // Positive, and without a leading zero.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const body = sequence(
    context(0, integer(Buffer.from([2]))),
    integer(serial),
    algorithm,
    issuer,
    sequence(time(new Date(now - backdatedMs)), time(new Date(now + lifetimeMs))),
    subject,
    spki(publicKey),
    context(3, sequence(...extensions)),
  );
  const whole = sequence(body, algorithm, bits(sign("sha256", body, signer), 0));
  const lines = whole.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

const distinguishedName = (commonName: string, organizations: readonly string[]): Der =>
  sequence(
    ...organizations.map((organization) => set(sequence(oid(ids.organization), text(organization)))),
    set(sequence(oid(ids.commonName), text(commonName))),
  );

const extension = (id: string, value: Der, critical?: "critical"): Der =>
  sequence(oid(id), ...(critical ? [truth] : []), octets(value));

const alternativeName = (host: string): Der =>
  isIP(host) ? context(7, addressBytes(host), "plain") : context(2, Buffer.from(host), "plain");

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail] = address.split("::");
  const groups = (part: string) => part.split(":").filter((group) => group !== "");
  const [front, back] = [groups(head), groups(tail ?? "")];
  const zeros = Array<string>(8 - front.length - back.length).fill("0");
  return Buffer.from([...front, ...zeros, ...back].map((group) => group.padStart(4, "0")).join(""), "hex");
}
