import { execFile } from "node:child_process";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { logFile } from "../machine/processes.ts";
import { keepRunning } from "../machine/supervise.ts";
import { type Component, type ComponentName, components } from "./components.ts";
import { imageImport, network } from "./config.ts";
import type { NodeFiles } from "./files.ts";
import type { StatusWriter } from "./node-status.ts";
import { resolves } from "./probes.ts";
import type { NodePart, NodeSpec } from "./spec.ts";

const probeEveryMs = 50;
const stepRetryMs = 500;
/** The node has no end but the kill of its namespaces. */
const forever = new AbortController().signal;

export interface NodeOptions {
  readonly spec: NodeSpec;
  readonly files: NodeFiles;
  readonly status: StatusWriter;
}

/** All that runs on a node, each started as soon as what it needs is there, and again whenever it ends. */
export class Node {
  readonly #spec: NodeSpec;
  readonly #files: NodeFiles;
  readonly #status: StatusWriter;
  readonly #components: Readonly<Record<ComponentName, Component>>;
  readonly #env: Readonly<Record<string, string>>;

  constructor({ spec, files, status }: NodeOptions) {
    this.#spec = spec;
    this.#files = files;
    this.#status = status;
    this.#components = components(spec, files);
    const { HOME = "", TMPDIR = "", PATH = "" } = process.env;
    // Where containerd finds its shim, and all find what comes from Debian.
    this.#env = { HOME, TMPDIR, PATH: [dirname(spec.programs["containerd-shim-runc-v2"]), PATH].join(":") };
  }

  /** Resolves when the whole node serves. */
  async start(): Promise<void> {
    const runtime = this.#startRuntime();
    await this.#run("etcd");
    await this.#run("kube-apiserver");
    await Promise.all([
      this.#run("kube-controller-manager"),
      this.#run("kube-scheduler"),
      // Waits for the object of the node, which the kubelet makes.
      this.#run("kube-proxy"),
      this.#run("network-policy"),
      this.#startAddons(),
      runtime.then(() => this.#startKubelet()),
    ]);
  }

  async #startRuntime(): Promise<void> {
    await this.#run("containerd");
    await this.#step("images", async () => {
      for (const archive of this.#spec.images) await this.#call("ctr", [...imageImport, archive]);
    });
  }

  async #startKubelet(): Promise<void> {
    await this.#run("kubelet");
    await this.#step("node", () => this.#waitForNode());
  }

  async #startAddons(): Promise<void> {
    await this.#step("addons", () => this.#kubectl("apply", "--server-side", "--force-conflicts", "-f", addons));
    await this.#run("local-path-provisioner");
    await this.#untilServing("dns", () => resolves(`kubernetes.default.svc.${network.domain}`, network.dnsService));
  }

  async #waitForNode(): Promise<void> {
    const node = `node/${this.#spec.name}`;
    await this.#kubectl("wait", "--for=create", node);
    await this.#kubectl("wait", "--for=condition=Ready", node);
  }

  async #kubectl(...args: readonly string[]): Promise<void> {
    await this.#call("kubectl", [`--kubeconfig=${this.#files.kubeconfigs.admin}`, ...args]);
  }

  async #call(program: "kubectl" | "ctr", args: readonly string[]): Promise<void> {
    await promisify(execFile)(this.#spec.programs[program], args, { env: this.#env });
  }

  /** Resolves when the component serves for the first time. */
  async #run(name: ComponentName): Promise<void> {
    const { command, probe } = this.#components[name];
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let watching: Promise<void> | undefined;
    const watch = () => {
      watching ??= this.#untilServing(name, probe).finally(() => {
        watching = undefined;
      });
      watching.then(resolve, reject);
    };
    const say = (line: string) => {
      console.log(line);
      this.#status.set(name, "restarting").then(watch, reject);
    };
    const supervised = { name, command, env: this.#env, logFile: logFile(this.#spec.folder, name) };
    keepRunning(supervised, { say, signal: forever }).catch(reject);
    watch();
    await promise;
  }

  async #untilServing(name: NodePart, probe: Component["probe"]): Promise<void> {
    while (probe && !(await probe())) await setTimeout(probeEveryMs);
    await this.#status.set(name, "ready");
  }

  /** Does what may fail while its surroundings start, until it has worked. */
  async #step(name: NodePart, work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await work();
        return await this.#status.set(name, "ready");
      } catch (error) {
        console.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
        await setTimeout(stepRetryMs);
      }
    }
  }
}

const addons = fileURLToPath(new URL("addons.yaml", import.meta.url));
