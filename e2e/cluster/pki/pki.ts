import { createHash, createPrivateKey, generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { readIfThere, writeWhole } from "../machine/files.ts";
import { type CertificateRequest, createAuthority, issueCertificate, type KeyPair } from "./certificates.ts";
import { formatKubeconfig, type KubeconfigOptions } from "./kubeconfig.ts";

/** One that lies there and ends sooner is made anew. */
const renewBeforeMs = 30 * 86_400_000;

/** What the API server adds to the end of a token, for clocks that differ. */
const clockLeewaySeconds = 60;

/** Where one pair of certificate and key lies. */
export interface KeyFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface KeptKeys extends KeyFiles {
  /** What is in the files. */
  readonly pair: KeyPair;
}

export interface ServiceAccount {
  readonly namespace: string;
  readonly name: string;
  /** Of the ServiceAccount object: the API server looks whether it is still the same. */
  readonly uid: string;
}

/** A certificate authority and what it has issued, in a folder of their own. What was made for an earlier start is used again. */
export class Authority {
  readonly #folder: string;
  readonly #pair: KeyPair;

  protected constructor(folder: string, pair: KeyPair) {
    this.#folder = folder;
    this.#pair = pair;
  }

  static async open(folder: string): Promise<Authority> {
    return new Authority(folder, await openPair(folder));
  }

  get authorityFile(): string {
    return filesOf(this.#folder, "ca").certificate;
  }

  /** PEM of the authority's certificate. */
  get authority(): string {
    return this.#pair.certificate;
  }

  async issue(request: CertificateRequest): Promise<KeyPair> {
    return await issueCertificate(this.#pair, request);
  }

  /** A certificate and its key in files: issued now, or for the same request at an earlier start. */
  async keep(request: CertificateRequest): Promise<KeptKeys> {
    const hash = createHash("sha256").update(JSON.stringify(request)).digest("hex").slice(0, 8);
    const files = filesOf(this.#folder, `${request.commonName}-${hash}`);
    const kept = await readPair(files);
    if (kept && this.#isGood(kept)) return { ...files, pair: kept };
    const pair = await this.issue(request);
    await writePair(files, pair);
    return { ...files, pair };
  }

  #isGood({ certificate, key }: KeyPair): boolean {
    const kept = new X509Certificate(certificate);
    return (
      kept.validToDate.getTime() - Date.now() > renewBeforeMs &&
      kept.checkPrivateKey(createPrivateKey(key)) &&
      kept.verify(new X509Certificate(this.authority).publicKey)
    );
  }
}

/** What a cluster knows its users by. */
export class Pki extends Authority {
  readonly serviceAccounts: { readonly publicKey: string; readonly privateKey: string };
  readonly #signingKey: string;

  private constructor(folder: string, pair: KeyPair, signingKey: string) {
    super(folder, pair);
    this.serviceAccounts = serviceAccountFiles(folder);
    this.#signingKey = signingKey;
  }

  static override async open(folder: string): Promise<Pki> {
    const pair = await openPair(folder);
    const files = serviceAccountFiles(folder);
    const kept = await readIfThere(files.privateKey);
    if (kept !== undefined) return new Pki(folder, pair, kept);
    const keys = generateKeyPairSync("ec", {
      namedCurve: "P-256",
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    await writeWhole(files.publicKey, keys.publicKey);
    await writeWhole(files.privateKey, keys.privateKey);
    return new Pki(folder, pair, keys.privateKey);
  }

  async writeKubeconfig(file: string, options: Omit<KubeconfigOptions, "authority">): Promise<void> {
    await writeWhole(file, formatKubeconfig({ ...options, authority: this.authority }));
  }

  /**
   * A token of a ServiceAccount, as short-lived as is wished: those that the API server gives out live ten minutes at
   * least. The API server remembers for ten seconds that a token was good.
   * @param lifetimeSeconds until the API server refuses it
   */
  signToken(account: ServiceAccount, lifetimeSeconds: number): string {
    const now = Math.floor(Date.now() / 1_000);
    const claims = {
      iss: serviceAccountIssuer,
      aud: [serviceAccountIssuer],
      sub: `system:serviceaccount:${account.namespace}:${account.name}`,
      iat: now,
      nbf: now,
      exp: now + lifetimeSeconds - clockLeewaySeconds,
      "kubernetes.io": { namespace: account.namespace, serviceaccount: { name: account.name, uid: account.uid } },
    };
    const text = [{ alg: "ES256", typ: "JWT" }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    const signature = sign("sha256", Buffer.from(text), { key: this.#signingKey, dsaEncoding: "ieee-p1363" });
    return `${text}.${signature.toString("base64url")}`;
  }
}

export const serviceAccountIssuer = "https://kubernetes.default.svc.cluster.local";

/** The user who may do everything. */
export const adminRequest: CertificateRequest = { commonName: "admin", organizations: ["system:masters"] };

export interface EtcdKeys extends KeptKeys {
  readonly authorityFile: string;
  /** PEM. */
  readonly authority: string;
}

/**
 * Of etcd, and of the API server as its only client. The authority is another one than that of users: whoever gets into etcd
 * reads all Secrets, and no RBAC is asked.
 */
export async function keepEtcdKeys(clusterFolder: string): Promise<EtcdKeys> {
  const authority = await Authority.open(join(clusterFolder, "etcd-pki"));
  const keys = await authority.keep({ commonName: "etcd", hosts: ["127.0.0.1", "localhost"] });
  return { ...keys, authorityFile: authority.authorityFile, authority: authority.authority };
}

async function openPair(folder: string): Promise<KeyPair> {
  const files = filesOf(folder, "ca");
  const kept = await readPair(files);
  if (kept) return kept;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const created = await createAuthority("copepod test cluster");
  await writePair(files, created);
  return created;
}

const serviceAccountFiles = (folder: string) => ({
  publicKey: join(folder, "service-accounts.pub"),
  privateKey: join(folder, "service-accounts.key"),
});

const filesOf = (folder: string, name: string): KeyFiles => ({
  certificate: join(folder, `${name}.crt`),
  key: join(folder, `${name}.key`),
});

async function readPair(files: KeyFiles): Promise<KeyPair | undefined> {
  const [certificate, key] = [await readIfThere(files.certificate), await readIfThere(files.key)];
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
}

async function writePair(files: KeyFiles, { certificate, key }: KeyPair): Promise<void> {
  await writeWhole(files.certificate, certificate);
  await writeWhole(files.key, key);
}
