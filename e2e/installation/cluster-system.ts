import { type AdminClient, adminApi, type Line, type MessageRow, type SessionRow } from "@copepod/core/admin-api";
import { containers } from "@copepod/core/cluster";
import { createClient } from "@copepod/core/endpoint";
import { fetch } from "undici";
import { Conversations, ignoringOutages } from "../support/conversations.ts";
import type { StoryProgram, StorySystem } from "../support/story-system.ts";
import { until } from "../support/until.ts";
import type { Forward } from "./forward.ts";
import { agentsNamespace, type Installation, patienceMs, type SeenPod, systemNamespace } from "./installation.ts";

interface Parts {
  readonly installation: Installation;
  readonly forward: Forward;
  readonly resources: readonly object[];
  readonly token: string;
}

/** A forward whose other end was killed may be silent for ever. No call of a story is a long poll. */
const answerWithinMs = 10_000;

/** The admin API of the router in a cluster, as whoever the token belongs to. */
export function adminThrough(forward: Forward, token: () => string): AdminClient {
  return createClient(adminApi, {
    baseUrl: "",
    token,
    fetch: async (path, init) => {
      try {
        const signal = AbortSignal.any([AbortSignal.timeout(answerWithinMs), ...(init.signal ? [init.signal] : [])]);
        return await fetch((await forward.url()) + path, { ...init, signal });
      } catch (error) {
        forward.close();
        throw error;
      }
    },
  });
}

/** An installation, with its own resources and conversations while a story is told. */
export class ClusterSystem implements StorySystem {
  readonly #parts: Parts;
  readonly #conversations: Conversations;
  #token: string;
  readonly admin: AdminClient;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.#token = parts.token;
    this.admin = adminThrough(parts.forward, () => this.#token);
    const prefix = `${crypto.randomUUID().slice(0, 8)}-`;
    this.#conversations = new Conversations({ admin: () => this.admin, namespace: agentsNamespace, prefix });
  }

  static async start(installation: Installation, resources: readonly object[]): Promise<ClusterSystem> {
    const documents = resources.map((resource) => ({ apiVersion: "copepod.dev/v1alpha1", ...resource }));
    await installation.apply(documents);
    const forward = installation.forwardAdmin();
    const token = await adminToken(installation);
    const system = new ClusterSystem({ installation, forward, token, resources: documents });
    await system.#seen(documents);
    return system;
  }

  /** Those of a service account that was made anew are no longer good. */
  async renewToken(): Promise<void> {
    this.#token = await adminToken(this.#parts.installation);
  }

  async say(conversation: string, text: string): Promise<{ id: string; session: string }> {
    return await this.#conversations.say(conversation, text);
  }

  async stop(conversation: string): Promise<{ stopping: boolean }> {
    return await this.#conversations.stop(conversation);
  }

  async lines(conversation: string): Promise<Line[]> {
    return await this.#conversations.lines(conversation);
  }

  async answerTo(conversation: string, id: string, timeoutMs = patienceMs): Promise<string[]> {
    return await this.#conversations.answerTo(conversation, id, timeoutMs);
  }

  async ask(conversation: string, text: string, timeoutMs = patienceMs): Promise<string> {
    return await this.#conversations.ask(conversation, text, timeoutMs);
  }

  async sessions(): Promise<SessionRow[]> {
    return (await this.admin.listSessions({ namespace: agentsNamespace, limit: 500 })).items;
  }

  async messages(session: string, state: MessageRow["state"]): Promise<MessageRow[]> {
    return (await this.admin.listMessages({ namespace: agentsNamespace, session, state })).items;
  }

  async retry(id: string): Promise<MessageRow> {
    return (await this.admin.retry({ id, namespace: agentsNamespace })).item;
  }

  async hasPod(): Promise<boolean> {
    return (await this.#parts.installation.sessionPods()).length > 0;
  }

  async kill(program: StoryProgram): Promise<number> {
    const { installation } = this.#parts;
    const container = { router: "router", proxy: containers.proxy, runner: containers.agent }[program];
    const pods = program === "router" ? await installation.systemPods("router") : await installation.sessionPods();
    for (const pod of pods) await installation.killContainerOf(pod, container);
    return pods.length;
  }

  async restart(): Promise<void> {
    const { installation } = this.#parts;
    const before = await this.#systemPods();
    const names = before.map(({ metadata }) => metadata.name);
    await installation.ask("delete", "pods", `--namespace=${agentsNamespace}`, "--all");
    await installation.ask("delete", "pods", `--namespace=${systemNamespace}`, ...names);
    await installation.systemReady();
  }

  async logs(): Promise<string> {
    return await this.#parts.installation.logs();
  }

  /** Removes what it made, and waits until no pod is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { installation, forward, resources } = this.#parts;
    const kinds = [...new Set(resources.map((one) => String(Reflect.get(one, "kind"))))];
    await installation.ask("delete", kinds.join(","), "--all", `--namespace=${agentsNamespace}`);
    await installation.ask("delete", "sessions.copepod.dev", "--all", `--namespace=${agentsNamespace}`);
    await until("no pod is left", async () => !(await this.hasPod()), patienceMs);
    await forward[Symbol.asyncDispose]();
  }

  /** The router follows the API server; a story begins when it knows all that it looks at. */
  async #seen(documents: readonly object[]): Promise<void> {
    for (const document of documents) {
      const kind = String(Reflect.get(document, "kind"));
      if (kind === "Workspace") continue;
      await until(
        `the router knows the ${kind}`,
        async () => {
          const found = await ignoringOutages(() => this.admin.listResources({ kind, namespace: agentsNamespace }));
          return (found?.items.length ?? 0) > 0;
        },
        patienceMs,
      );
    }
  }

  async #systemPods(): Promise<SeenPod[]> {
    const { installation } = this.#parts;
    return [...(await installation.systemPods("router")), ...(await installation.systemPods("operator"))];
  }
}

const adminToken = async (installation: Installation): Promise<string> =>
  await installation.token("copepod-admin", systemNamespace);
