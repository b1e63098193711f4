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

export interface ServiceAccount {
  readonly namespace: string;
  readonly name: string;
  /** Of the ServiceAccount object: the API server looks whether it is still the same. */
  readonly uid: string;
}

/** Keys and certificates of one cluster, in `pki/` of its folder. What was made for an earlier start is used again. */
export class Pki {
  readonly #folder: string;
  readonly #authority: KeyPair;
  readonly #signingKey: string;

  private constructor(folder: string, authority: KeyPair, signingKey: string) {
    this.#folder = folder;
    this.#authority = authority;
    this.#signingKey = signingKey;
  }

  /** Makes the keys, or loads those of an earlier start. */
  static async open(clusterFolder: string): Promise<Pki> {
    const folder = join(clusterFolder, "pki");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const authority = await readPair(filesOf(folder, "ca"));
    const signingKey = await readIfThere(join(folder, "service-accounts.key"));
    if (authority && signingKey !== undefined) return new Pki(folder, authority, signingKey);
    const created = await createAuthority("copepod test cluster");
    const keys = generateKeyPairSync("ec", {
      namedCurve: "P-256",
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    await writePair(filesOf(folder, "ca"), created);
    await writeWhole(join(folder, "service-accounts.pub"), keys.publicKey);
    await writeWhole(join(folder, "service-accounts.key"), keys.privateKey);
    return new Pki(folder, created, keys.privateKey);
  }

  get authorityFile(): string {
    return filesOf(this.#folder, "ca").certificate;
  }

  get serviceAccounts(): { readonly publicKey: string; readonly privateKey: string } {
    return {
      publicKey: join(this.#folder, "service-accounts.pub"),
      privateKey: join(this.#folder, "service-accounts.key"),
    };
  }

  /** PEM of the authority's certificate. */
  get authority(): string {
    return this.#authority.certificate;
  }

  async issue(request: CertificateRequest): Promise<KeyPair> {
    return await issueCertificate(this.#authority, request);
  }

  /** A certificate and its key in files: issued now, or for the same request at an earlier start. */
  async keep(request: CertificateRequest): Promise<KeyFiles & { readonly pair: KeyPair }> {
    const hash = createHash("sha256").update(JSON.stringify(request)).digest("hex").slice(0, 8);
    const files = filesOf(this.#folder, `${request.commonName}-${hash}`);
    const kept = await readPair(files);
    if (kept && this.#isGood(kept)) return { ...files, pair: kept };
    const pair = await this.issue(request);
    await writePair(files, pair);
    return { ...files, pair };
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

  #isGood({ certificate, key }: KeyPair): boolean {
    const kept = new X509Certificate(certificate);
    return (
      kept.validToDate.getTime() - Date.now() > renewBeforeMs &&
      kept.checkPrivateKey(createPrivateKey(key)) &&
      kept.verify(new X509Certificate(this.authority).publicKey)
    );
  }
}

export const serviceAccountIssuer = "https://kubernetes.default.svc.cluster.local";

/** The user who may do everything. */
export const adminRequest: CertificateRequest = { commonName: "admin", organizations: ["system:masters"] };

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
