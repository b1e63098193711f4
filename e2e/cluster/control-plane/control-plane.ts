import { mkdir } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import { z } from "zod";
import type { Binaries } from "../binaries/catalogue.ts";
import { kubeconfigOf } from "../cluster.ts";
import { readIfThere, writeWhole } from "../machine/files.ts";
import { areFree, freePorts } from "../machine/ports.ts";
import { findProcess, lastWords, startProcess, stopProcess } from "../machine/processes.ts";
import { waitFor } from "../machine/wait.ts";
import type { KeyPair } from "../pki/certificates.ts";
import { adminRequest, type EtcdKeys, type KeptKeys, keepEtcdKeys, Pki } from "../pki/pki.ts";
import { auditPolicy } from "./audit-policy.ts";
import { aloneFlags, apiServerCommand, etcdCommand } from "./commands.ts";

const host = "127.0.0.1";
const readyTimeoutMs = 60_000;
const callTimeoutMs = 10_000;
/** Open watches may hold the API server up when it ends; etcd has nothing to wait for. */
const apiServerGraceMs = 20_000;
const serviceRange = "10.96.0.0/16";

export interface ControlPlaneOptions {
  /** Holds everything; a start over the folder of an earlier one goes on with its data, its keys and its ports. */
  readonly folder: string;
  readonly binaries: Binaries<"etcd" | "kube-apiserver">;
  readonly signal?: AbortSignal;
  /** More flags of kube-apiserver; of two that are the same the last one counts. */
  readonly flags?: readonly string[];
}

export interface Answer {
  readonly status: number;
  /** JSON where it is JSON, else text. */
  readonly body: unknown;
}

const portsSchema = z.strictObject({ etcd: z.int(), peer: z.int(), apiServer: z.int() });
type Ports = z.infer<typeof portsSchema>;

/**
 * etcd and kube-apiserver, as processes of this user that outlive this one. No controller runs, so nothing makes service
 * accounts, nothing collects garbage and no pod is ever started.
 */
export class ControlPlane implements AsyncDisposable {
  readonly folder: string;
  /** Path of the admin's kubeconfig. */
  readonly kubeconfig: string;
  /** Such as `https://127.0.0.1:41234`. */
  readonly server: string;
  /** One JSON line for each write; see `auditPolicy`. */
  readonly auditLog: string;
  readonly pki: Pki;
  readonly #options: ControlPlaneOptions;
  readonly #ports: Ports;
  readonly #keys: Keys;

  private constructor(
    options: ControlPlaneOptions,
    { pki, ports, keys }: { readonly pki: Pki; readonly ports: Ports; readonly keys: Keys },
  ) {
    this.folder = options.folder;
    this.kubeconfig = kubeconfigOf(options.folder);
    this.server = `https://${host}:${ports.apiServer}`;
    this.auditLog = join(options.folder, "audit.log");
    this.pki = pki;
    this.#options = options;
    this.#ports = ports;
    this.#keys = keys;
  }

  /** Resolves when the API server is ready. Whatever runs already in the folder goes on. */
  static async start(options: ControlPlaneOptions): Promise<ControlPlane> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    const pki = await Pki.open(join(options.folder, "pki"));
    const keys = {
      admin: await pki.keep(adminRequest),
      server: await pki.keep(serverRequest),
      etcd: await keepEtcdKeys(options.folder),
    };
    const plane = new ControlPlane(options, { pki, keys, ports: await readPorts(options.folder) });
    await pki.writeKubeconfig(plane.kubeconfig, { cluster: "copepod", server: plane.server, user: keys.admin.pair });
    await plane.startApiServer();
    return plane;
  }

  /** On the same port, over the same data; etcd too when it does not run. Resolves when it is ready. */
  async startApiServer({ flags = [] }: { readonly flags?: readonly string[] } = {}): Promise<void> {
    await this.#startEtcd();
    if (!(await findProcess(this.folder, "kube-apiserver"))) {
      // One that was killed may hold its port for a moment longer.
      await areFree([this.#ports.apiServer]);
      const auditPolicyFile = join(this.folder, "audit-policy.json");
      await writeWhole(auditPolicyFile, auditPolicy);
      const command = apiServerCommand({
        program: this.#options.binaries["kube-apiserver"],
        host,
        port: this.#ports.apiServer,
        etcd: `https://${host}:${this.#ports.etcd}`,
        etcdKeys: this.#keys.etcd,
        pki: this.pki,
        keys: this.#keys.server,
        auditPolicyFile,
        auditLog: this.auditLog,
        serviceRange,
        flags: [...aloneFlags, ...(this.#options.flags ?? []), ...flags],
      });
      await startProcess({ folder: this.folder, name: "kube-apiserver", command, signal: this.#signal });
    }
    await this.#waitUntilReady();
  }

  /** Resolves when it is gone. etcd goes on. */
  async stopApiServer(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    await stopProcess(this.folder, "kube-apiserver", { signal, graceMs: apiServerGraceMs });
  }

  /** Ends both processes. The data stay: `start` over the same folder goes on with them. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    await stopProcess(this.folder, "kube-apiserver", { signal, graceMs: apiServerGraceMs });
    await stopProcess(this.folder, "etcd", { signal });
  }

  /** Forgets all revisions before the present one. @returns the present one, as in resourceVersion */
  async compact(): Promise<string> {
    const etcd = `https://${host}:${this.#ports.etcd}`;
    const status = await this.#post(`${etcd}/v3/maintenance/status`, {});
    const { revision } = z.object({ header: z.object({ revision: z.string() }) }).parse(status).header;
    await this.#post(`${etcd}/v3/kv/compaction`, { revision, physical: true });
    return revision;
  }

  /** One call of the API server as its admin, for what a test needs beside the client that it tests. */
  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    return await this.#send(
      { ...this.#keys.admin.pair, authority: this.pki.authority },
      { method, url: `${this.server}${path}`, body },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
  }

  get #signal(): AbortSignal {
    return this.#options.signal ?? new AbortController().signal;
  }

  async #startEtcd(): Promise<void> {
    if (await findProcess(this.folder, "etcd")) return;
    const command = etcdCommand({
      program: this.#options.binaries.etcd,
      dataFolder: join(this.folder, "etcd"),
      host,
      port: this.#ports.etcd,
      peerPort: this.#ports.peer,
      keys: this.#keys.etcd,
    });
    await startProcess({ folder: this.folder, name: "etcd", command, signal: this.#signal });
  }

  async #waitUntilReady(): Promise<void> {
    const look = async (): Promise<boolean> => {
      for (const name of ["etcd", "kube-apiserver"]) {
        if (await findProcess(this.folder, name)) continue;
        throw new CopepodError("unavailable", `${name} ended at once; ${await lastWords(this.folder, name)}`);
      }
      const answer = await this.call("GET", "/readyz").catch(() => undefined);
      return answer?.status === 200;
    };
    await waitFor("the API server to be ready", look, {
      timeoutMs: readyTimeoutMs,
      signal: this.#signal,
      hint: async () => await lastWords(this.folder, "kube-apiserver"),
    });
  }

  /** A call of etcd. */
  async #post(url: string, body: unknown): Promise<unknown> {
    const { etcd } = this.#keys;
    const answer = await this.#send({ ...etcd.pair, authority: etcd.authority }, { method: "POST", url, body });
    if (answer.status === 200) return answer.body;
    throw new CopepodError("unavailable", `${url} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  }

  async #send({ authority, certificate, key }: Identity, { method, url, body }: Call): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const call = request(
      url,
      {
        method,
        ca: authority,
        cert: certificate,
        key,
        agent: false,
        signal: AbortSignal.timeout(callTimeoutMs),
        headers: body === undefined ? {} : { "content-type": "application/json" },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(parts).toString();
          const isJson = response.headers["content-type"]?.startsWith("application/json");
          resolve({ status: response.statusCode ?? 0, body: isJson ? JSON.parse(text) : text });
        });
      },
    );
    call.on("error", reject);
    call.end(body === undefined ? undefined : JSON.stringify(body));
    return await promise;
  }
}

interface Keys {
  readonly admin: KeptKeys;
  readonly server: KeptKeys;
  readonly etcd: EtcdKeys;
}

interface Identity extends KeyPair {
  /** PEM: who may have signed the server's certificate. */
  readonly authority: string;
}

interface Call {
  readonly method: string;
  readonly url: string;
  readonly body?: unknown;
}

const firstServiceAddress = "10.96.0.1";
const serverNames = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
const serverRequest = { commonName: "kube-apiserver", hosts: [...serverNames, host, firstServiceAddress] };

/** Those of an earlier start, but for what somebody else has taken since. */
async function readPorts(folder: string): Promise<Ports> {
  const file = join(folder, "ports.json");
  const text = await readIfThere(file);
  const [etcd = 0, peer = 0, apiServer = 0] = await freePorts(3);
  const ports = { etcd, peer, apiServer };
  if (text !== undefined) {
    const kept = portsSchema.parse(JSON.parse(text));
    const [hasEtcd, hasServer] = [await findProcess(folder, "etcd"), await findProcess(folder, "kube-apiserver")];
    if (hasEtcd || (await areFree([kept.etcd, kept.peer]))) Object.assign(ports, { etcd: kept.etcd, peer: kept.peer });
    if (hasServer || (await areFree([kept.apiServer]))) ports.apiServer = kept.apiServer;
  }
  await writeWhole(file, `${JSON.stringify(ports)}\n`);
  return ports;
}
