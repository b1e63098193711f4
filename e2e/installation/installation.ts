import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { audiences, labels, ports } from "@copepod/core/cluster";
import { stringify } from "yaml";
import { z } from "zod";
import { findBinaries } from "../cluster/binaries/find.ts";
import { Stage, type StageOptions } from "../cluster/testing/stage.ts";
import { until } from "../support/until.ts";
import { killContainer } from "./containers.ts";
import { Forward } from "./forward.ts";
import { type Answer, outputOf, run } from "./programs.ts";

/** What the system needs without a harness. */
export const systemImages = ["router", "operator", "credential-proxy", "agent"];
export const systemNamespace = "copepod";
export const agentsNamespace = "agents";
/** How long anything in the cluster may take that takes seconds on a quiet machine. */
export const patienceMs = 120_000;

const root = fileURLToPath(new URL("../..", import.meta.url));
const chart = (name: string): string => join(root, "charts", name);

const podSchema = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
    deletionTimestamp: z.string().optional(),
  }),
  status: z.object({
    phase: z.string().optional(),
    podIP: z.string().optional(),
    containerStatuses: z
      .array(
        z.object({
          name: z.string(),
          ready: z.boolean(),
          restartCount: z.int(),
          containerID: z.string().default(""),
          state: z.object({ running: z.unknown().optional() }),
        }),
      )
      .default([]),
  }),
});
const podsSchema = z.object({ items: z.array(podSchema) });
export type SeenPod = z.output<typeof podSchema>;

/** Copepod in a cluster that was made for it, installed as a person would: images, two charts, kubectl. */
export class Installation implements AsyncDisposable {
  readonly stage: Stage;
  readonly kubectlPath: string;
  readonly #helmPath: string;

  private constructor(stage: Stage, { kubectl, helm }: { readonly kubectl: string; readonly helm: string }) {
    this.stage = stage;
    this.kubectlPath = kubectl;
    this.#helmPath = helm;
  }

  /** @param images the names of those that are needed; all without them */
  static async create(options: StageOptions, images: readonly string[] = []): Promise<Installation> {
    const stage = new Stage(options);
    const signal = new AbortController().signal;
    const found = await findBinaries(["kubectl", "helm"], { env: process.env, say, signal });
    const installation = new Installation(stage, found);
    try {
      await stage.up();
      await installation.loadImages(images);
      return installation;
    } catch (error) {
      await installation[Symbol.asyncDispose]();
      throw error;
    }
  }

  get kubeconfig(): string {
    return join(this.stage.folder, "kubeconfig");
  }

  async loadImages(images: readonly string[]): Promise<void> {
    // A locked version may be gone from the mirror since; which one it is does not matter here.
    const args = [join(root, "images/main.ts"), "load", ...images, `--cluster=${this.stage.name}`, "--unlocked"];
    const env = { ...process.env, XDG_STATE_HOME: this.stage.home };
    await outputOf({ program: process.execPath, args, env, tell: true });
  }

  /** Installs or upgrades both charts. */
  async install(values: object = {}): Promise<void> {
    await this.helm("upgrade", "--install", "copepod-crds", chart("copepod-crds"), `--namespace=${systemNamespace}`);
    await this.upgrade(values);
  }

  async upgrade(values: object): Promise<void> {
    const args = ["upgrade", "--install", "copepod", chart("copepod"), `--namespace=${systemNamespace}`];
    const { program, env } = this.#helm();
    const waiting = ["--wait", `--timeout=${patienceMs}ms`, "--values=-"];
    await outputOf({ program, args: [...args, ...waiting], env, input: stringify(values) });
  }

  /** Of the images that the chart names. */
  async version(): Promise<string> {
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(await readFile(join(root, "package.json"), "utf8")));
    return version;
  }

  async helm(...args: readonly string[]): Promise<string> {
    return await outputOf({ ...this.#helm(), args: [...args, "--create-namespace"].filter(isUnderstood(args[0])) });
  }

  async kubectl(args: readonly string[], input?: string): Promise<Answer> {
    const places = [`--kubeconfig=${this.kubeconfig}`, `--cache-dir=${join(this.stage.home, "kubectl")}`];
    return await run({
      program: this.kubectlPath,
      args: [...places, ...args],
      ...(input === undefined ? {} : { input }),
    });
  }

  /** @throws Error with what kubectl complained of */
  async ask(...args: readonly string[]): Promise<string> {
    return expectOutput(args, await this.kubectl(args));
  }

  async apply(documents: readonly object[], namespace = agentsNamespace): Promise<string> {
    const args = ["apply", "--server-side", "--force-conflicts", `--namespace=${namespace}`, "--filename=-"];
    return expectOutput(args, await this.kubectl(args, documents.map((one) => stringify(one)).join("---\n")));
  }

  async pods(namespace: string, selector: string): Promise<SeenPod[]> {
    const args = ["get", "pods", `--namespace=${namespace}`, `--selector=${selector}`, "--output=json"];
    return podsSchema.parse(JSON.parse(await this.ask(...args))).items;
  }

  async sessionPods(): Promise<SeenPod[]> {
    return await this.pods(agentsNamespace, `${labels.component}=session`);
  }

  async systemPods(component: "router" | "operator"): Promise<SeenPod[]> {
    return await this.pods(systemNamespace, `app.kubernetes.io/component=${component}`);
  }

  /** Kills a program by its container, and waits until it is gone. It may run before the kubelet says so. */
  async killContainerOf({ metadata: { namespace, name } }: SeenPod, container: string): Promise<void> {
    const id = await until(
      `${container} runs in ${name}`,
      async () => {
        const pod = podSchema.parse(
          JSON.parse(await this.ask("get", "pod", name, `--namespace=${namespace}`, "-ojson")),
        );
        const found = pod.status.containerStatuses.find((one) => one.name === container);
        return found?.state.running !== undefined && found.containerID;
      },
      patienceMs,
    );
    await killContainer(id);
  }

  async systemReady(): Promise<void> {
    await until(
      "router and operator are ready",
      async () => {
        const all = [...(await this.systemPods("router")), ...(await this.systemPods("operator"))];
        return all.length >= 2 && all.every(isReady);
      },
      patienceMs,
    );
  }

  /** A token of a service account for the router's admin API. */
  async token(serviceAccount: string, namespace: string): Promise<string> {
    const args = ["create", "token", serviceAccount, `--namespace=${namespace}`, `--audience=${audiences.admin}`];
    return (await this.ask(...args)).trim();
  }

  forwardAdmin(): Forward {
    return new Forward({
      kubectl: this.kubectlPath,
      kubeconfig: this.kubeconfig,
      namespace: systemNamespace,
      target: "service/copepod-router-admin",
      port: ports.admin,
    });
  }

  async logs(): Promise<string> {
    const of = async (namespace: string, pods: readonly SeenPod[]) =>
      await Promise.all(
        pods.map(async ({ metadata: { name } }) => {
          const args = ["logs", `--namespace=${namespace}`, name, "--all-containers", "--prefix", "--tail=-1"];
          return (await this.kubectl(args)).output;
        }),
      );
    const system = [...(await this.systemPods("router")), ...(await this.systemPods("operator"))];
    return [...(await of(systemNamespace, system)), ...(await of(agentsNamespace, await this.sessionPods()))].join(
      "\n",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stage.cluster("down");
    await this.stage.remove();
  }

  #helm() {
    const env = { ...process.env, KUBECONFIG: this.kubeconfig, HELM_CACHE_HOME: join(this.stage.home, "helm") };
    return { program: this.#helmPath, env };
  }
}

export const isReady = ({ metadata, status }: SeenPod): boolean =>
  metadata.deletionTimestamp === undefined &&
  status.containerStatuses.length > 0 &&
  status.containerStatuses.every(({ ready }) => ready);

/** Only what makes something takes the option to make its namespace. */
const isUnderstood = (verb: string | undefined) => (arg: string) =>
  arg !== "--create-namespace" || verb === "upgrade" || verb === "install";

function expectOutput(args: readonly string[], { code, output, complaint }: Answer): string {
  if (code !== 0) throw new Error(`kubectl ${args.join(" ")}: ${complaint}`);
  return output;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);
