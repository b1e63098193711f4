import { CopepodError } from "@copepod/core/errors";
import type { Cluster } from "../cluster.ts";
import type { Limits } from "./config.ts";
import { run } from "./run.ts";

/** A Docker engine, and how to talk to it. */
export interface Engine {
  /** For its client, and for kind. */
  readonly env: Readonly<Record<string, string>>;
  /** Words that go before a command, so that it reaches the ports that the engine opens. */
  readonly enter: readonly string[];
}

export interface NodeImage {
  readonly name: string;
  /** Undefined for an official one. */
  readonly own: Limits | undefined;
}

/** Where a kind cluster runs. */
export interface Ground {
  /** Gives an engine that answers. */
  start(cluster: Cluster): Promise<Engine>;
  /** @returns undefined when none answers */
  find(cluster: Cluster): Promise<Engine | undefined>;
  image(cluster: Cluster, engine: Engine): Promise<NodeImage>;
  /** Lets programs outside of the engine's network reach one of its ports under the same number. */
  publish?(cluster: Cluster, engine: Engine, port: number): Promise<void>;
  /** Removes the engine with all that is in it, where it is the cluster's own. */
  remove?(cluster: Cluster): Promise<void>;
}

/** kind would take another kind of engine when it finds one first. */
export const chooseDocker = { KIND_EXPERIMENTAL_PROVIDER: "docker" } as const;

const answerTimeoutMs = 10_000;

/** Of Kubernetes 1.35 and built for the version of kind that we have pinned: from the notes of its release. */
const officialImage = "kindest/node:v1.35.8@sha256:07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0";

/** The machine's engine, or the one that $DOCKER_HOST and the like lead to, with the official node image. */
export const machineGround: Ground = {
  async start(cluster) {
    const engine = await machineGround.find(cluster);
    if (engine) return engine;
    throw new CopepodError(
      "unavailable",
      "no Docker engine answers: start one, or use --own-engine, or --provider native",
    );
  },
  async find({ signal }) {
    const engine = { env: chooseDocker, enter: [] };
    return (await answers(engine, signal)) ? engine : undefined;
  },
  image: async () => ({ name: officialImage, own: undefined }),
};

/**
 * @param timeoutMs an engine that is stopped still takes connections
 * @returns false also where there is no client
 */
export async function answers(
  { env }: Pick<Engine, "env">,
  signal: AbortSignal,
  timeoutMs = answerTimeoutMs,
): Promise<boolean> {
  try {
    await run(["docker", "version"], { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]), env });
    return true;
  } catch {
    signal.throwIfAborted();
    return false;
  }
}
