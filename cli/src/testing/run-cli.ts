import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { defaultNamespace } from "@copepod/core/addresses";
import { adminApi } from "@copepod/core/admin-api";
import { createClient } from "@copepod/core/endpoint";
import { CopepodError } from "@copepod/core/errors";
import type { Cluster } from "../cluster/open-cluster.ts";
import type { CliConfig } from "../config.ts";
import type { CliDeps } from "../context.ts";
import type { ModelEnvironment } from "../home/model-choice.ts";
import { createUnixFetch } from "../http/unix-fetch.ts";
import { buildProgram } from "../program.ts";
import type { FakeRouter } from "./fake-router.ts";

export interface Ran {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** An environment that names no model API. */
export const noModels: ModelEnvironment = {
  anthropicKey: undefined,
  anthropicToken: undefined,
  anthropicBaseUrl: undefined,
  claudeToken: undefined,
  openaiKey: undefined,
};

export interface RunOptions {
  /** undefined = nothing runs. */
  readonly router?: FakeRouter;
  /** What the kubeconfig leads to; undefined = there is none. */
  readonly cluster?: Cluster;
  readonly programName?: string;
  readonly stdin?: string;
  readonly home?: string;
  readonly settings?: Partial<CliConfig>;
  /** Given a function that acts as Ctrl-C. */
  onReady?(interrupt: () => void): void;
}

/** Runs a command line with everything real but the router and the process. */
export async function runCli(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const io = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  io.stdin.end(options.stdin ?? "");
  const listeners = new Set<(signal: NodeJS.Signals) => void>();
  let code: number | undefined;
  const program = buildProgram({ ...testDeps(options), io, onSignal: listen(listeners), setExitCode: set });
  function set(value: number): void {
    code = value;
  }
  options.onReady?.(() => {
    for (const listener of listeners) listener("SIGINT");
  });
  const outputs = Promise.all([text(io.stdout), text(io.stderr)]);
  try {
    await program.parseAsync([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof Error && error.name === "CommanderError")) throw error;
    code = "exitCode" in error && error.exitCode === 0 ? 0 : 2;
  }
  io.stdout.end();
  io.stderr.end();
  const [stdout, stderr] = await outputs;
  return { code, stdout, stderr };
}

const listen = (listeners: Set<(signal: NodeJS.Signals) => void>) => (listener: (signal: NodeJS.Signals) => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

function testDeps({
  router,
  cluster,
  programName = "copepod",
  home,
  settings,
}: RunOptions): Omit<CliDeps, "io" | "onSignal" | "setExitCode"> {
  let keys = 0;
  return {
    version: "1.2.3",
    charts: "/nowhere/charts",
    programName,
    userName: "ann",
    userHome: "/nowhere/ann",
    uid: process.getuid?.() ?? 0,
    config: (given) => ({
      home: given ?? home ?? "/nowhere",
      runtimeDir: undefined,
      kubeconfigs: ["/nowhere/kubeconfig"],
      logLevel: "info",
      harnessesDir: "/nowhere/harnesses",
      sandboxImage: "",
      models: noModels,
      own: {},
      ...settings,
    }),
    connect: async () => {
      if (!router) throw new CopepodError("notRunning", "no Copepod runs");
      const unix = createUnixFetch(router.socketPath);
      return {
        admin: createClient(adminApi, { fetch: unix.fetch, baseUrl: "http://router" }),
        blobs: router.blobs,
        copyQueue: () => Promise.reject(new CopepodError("notFound", "a socket needs no copy over the wire")),
        namespace: defaultNamespace,
        hasEnded: async () => router.ended,
        close: unix.close,
      };
    },
    openCluster: async () => {
      if (!cluster) throw new CopepodError("invalid", "there is no kubeconfig");
      return cluster;
    },
    openSupervisor: async () => {
      throw new CopepodError("alreadyRunning", "a supervisor already runs");
    },
    randomKey: () => `key-${++keys}`,
    random: () => 0,
  };
}
