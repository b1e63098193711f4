import { sign } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  Authority,
  type CertificateRequest,
  createServiceAccountKeys,
  formatKubeconfig,
  type KeyPair,
} from "./certificates.ts";
import { readIfThere, writeWhole } from "./state.ts";

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

/** Keys and certificates of one cluster, in `pki/` of its folder. The authority and the service account keys stay. */
export class Pki {
  readonly #folder: string;
  readonly #authority: Authority;
  readonly #signingKey: string;

  private constructor(folder: string, authority: Authority, signingKey: string) {
    this.#folder = folder;
    this.#authority = authority;
    this.#signingKey = signingKey;
  }

  /** Makes the keys, or loads those of an earlier start. */
  static async open(clusterFolder: string): Promise<Pki> {
    const folder = join(clusterFolder, "pki");
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const authority = await readAuthority(folder);
    const signingKey = await readIfThere(join(folder, "service-accounts.key"));
    if (authority && signingKey !== undefined) return new Pki(folder, authority, signingKey);
    const created = Authority.create("copepod test cluster");
    const { publicKey, privateKey } = createServiceAccountKeys();
    await writePair(folder, "ca", created.pair);
    await writeWhole(join(folder, "service-accounts.pub"), publicKey);
    await writeWhole(join(folder, "service-accounts.key"), privateKey);
    return new Pki(folder, created, privateKey);
  }

  get authorityFile(): string {
    return join(this.#folder, "ca.crt");
  }

  get serviceAccounts(): { readonly publicKey: string; readonly privateKey: string } {
    return {
      publicKey: join(this.#folder, "service-accounts.pub"),
      privateKey: join(this.#folder, "service-accounts.key"),
    };
  }

  /** PEM of the authority's certificate. */
  get authority(): string {
    return this.#authority.pair.certificate;
  }

  issue(request: CertificateRequest): KeyPair {
    return this.#authority.issue(request);
  }

  /** Issues a certificate into `pki/<name>.crt` and `.key`. */
  async write(name: string, request: CertificateRequest): Promise<KeyFiles> {
    return await writePair(this.#folder, name, this.issue(request));
  }

  /** A kubeconfig for a user; see `adminRequest`. */
  async writeKubeconfig(
    file: string,
    {
      cluster,
      server,
      user,
    }: {
      readonly cluster: string;
      readonly server: string;
      readonly user: CertificateRequest | { readonly token: string };
    },
  ): Promise<void> {
    const credentials = "token" in user ? user : this.issue(user);
    await writeWhole(file, formatKubeconfig({ cluster, server, authority: this.authority, user: credentials }));
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

async function readAuthority(folder: string): Promise<Authority | undefined> {
  const certificate = await readIfThere(join(folder, "ca.crt"));
  const key = await readIfThere(join(folder, "ca.key"));
  return certificate === undefined || key === undefined ? undefined : Authority.load({ certificate, key });
}

async function writePair(folder: string, name: string, pair: KeyPair): Promise<KeyFiles> {
  const files = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  await writeWhole(files.certificate, pair.certificate);
  await writeWhole(files.key, pair.key);
  return files;
}
