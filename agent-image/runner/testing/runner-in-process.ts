import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBlobs } from "@copepod/core/blobs";
import { createClient } from "@copepod/core/endpoint";
import { blobPaths } from "@copepod/core/files";
import { mailboxApi } from "@copepod/core/mailbox-api";
import { pino } from "pino";
import type { ProviderFactory } from "../../providers/provider.ts";
import { Life } from "../life.ts";
import { runRunner } from "../runner.ts";
import { createSocketFetch } from "../socket-fetch.ts";
import { realTime, type Time } from "../time.ts";
import { FakeRouter } from "./fake-router.ts";
import { type Script, scriptedProvider } from "./scripted-provider.ts";

/** The runner in this process, in front of a fake router, with providers of the test's own. Ended when disposed. */
export class RunnerInProcess implements AsyncDisposable {
  readonly router = new FakeRouter();
  readonly life = new Life();
  readonly folder: string;
  readonly workspace: string;
  readonly agentDir: string;
  /** Environment of the provider's processes. */
  env: Readonly<Record<string, string>> = {};
  #running: Promise<void> = Promise.resolve();

  private constructor(folder: string) {
    this.folder = folder;
    this.workspace = join(folder, "workspace");
    this.agentDir = join(folder, "agent");
  }

  static async create(): Promise<RunnerInProcess> {
    const runner = new RunnerInProcess(await mkdtemp(join(tmpdir(), "copepod-runner-")));
    await runner.router.start(join(runner.folder, "s"));
    return runner;
  }

  /** @returns when the runner has ended. */
  start(loadProvider: (name: string) => Promise<ProviderFactory>, time: Time = realTime): Promise<void> {
    this.#running = this.#run(loadProvider, time);
    return this.#running;
  }

  async #run(loadProvider: (name: string) => Promise<ProviderFactory>, time: Time): Promise<void> {
    await using http = createSocketFetch(join(this.folder, "s"));
    const { router, life, workspace, agentDir } = this;
    const client = { fetch: http.fetch, baseUrl: "http://router", token: () => router.token };
    await runRunner({
      mailbox: createClient(mailboxApi, client),
      blobs: createBlobs({ send: http.sendBytes, url: client.baseUrl + blobPaths.mailbox, token: client.token }),
      instance: "instance-of-the-test",
      life,
      workspace,
      agentDir,
      teamDir: undefined,
      env: this.env,
      createProvider: async (name, deps) => (await loadProvider(name))({ ...deps, harnessDir: "" }),
      proxy: { upstreams: async () => ({ upstreams: [] }) },
      proxyUrl: "http://127.0.0.1:9",
      serveTools: async () => ({
        server: { kind: "http", name: "copepod", url: "http://127.0.0.1:9/mcp", headers: {} },
        [Symbol.asyncDispose]: async () => undefined,
      }),
      time,
      random: () => 0.5,
      log: pino({ level: "silent" }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.life.end("parent is gone");
    await this.#running.catch(() => undefined);
    await this.router.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A final text to one destination. */
export const block = (text: string, to = "family"): string => `<message to="${to}">${text}</message>`;

/** A runner that is not started yet, and a provider whose turns follow scripts. */
export async function withScripts(...scripts: Script[]) {
  const runner = await RunnerInProcess.create();
  const provider = scriptedProvider("demo", ...scripts);
  return { runner, provider, router: runner.router, load: async () => provider.factory };
}
