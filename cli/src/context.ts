import type { AdminClient } from "@copepod/core/admin-api";
import type { Blobs, Bytes } from "@copepod/core/blobs";
import type { Cluster } from "./cluster/open-cluster.ts";
import type { ClusterOptions } from "./cluster/options.ts";
import type { CliConfig } from "./config.ts";
import type { OpenSupervisor, SupervisorOptions } from "./supervisor/open-supervisor.ts";

/** What commands read from and write to. */
export interface Io {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  /** Data: answers, tables, JSON. */
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean };
  /** Prose: progress, hints, errors. */
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** A client of a router's admin API. */
export interface AdminConnection {
  readonly admin: AdminClient;
  readonly blobs: Blobs;
  /** A copy of the queue database. @throws as `Blobs.get` */
  copyQueue(signal: AbortSignal): Promise<Bytes>;
  /** Of agents; locally there is only one. */
  readonly namespace: string;
  /** Whether the system was ended on purpose: then a call that fails need not be repeated. */
  hasEnded(): Promise<boolean>;
  close(): Promise<void>;
}

/** Everything that commands use of the world. Built by `main.ts`, and by tests. */
export interface CliDeps {
  readonly io: Io;
  readonly version: string;
  /** Folder of the charts that belong to this version. */
  readonly charts: string;
  /** As it was started, without the folder. */
  readonly programName: string;
  /** Name of the person at the terminal, by the operating system. */
  readonly userName: string;
  /** Their own folder, which "~" stands for. */
  readonly userHome: string;
  readonly uid: number;
  /** @param home as given by `--home`; undefined = from the environment. */
  config(home: string | undefined): CliConfig;
  /** @throws CopepodError `notRunning` */
  connect(config: CliConfig): Promise<AdminConnection>;
  /** Reads the kubeconfig; nothing is connected yet. @throws CopepodError `invalid` */
  openCluster(config: CliConfig, options: ClusterOptions & { readonly version: string }): Promise<Cluster>;
  openSupervisor(options: SupervisorOptions): Promise<OpenSupervisor>;
  /** Calls back for each request to end (SIGINT, SIGTERM, SIGHUP). @returns how to stop that. */
  onSignal(listener: (signal: NodeJS.Signals) => void): () => void;
  setExitCode(code: number): void;
  /** A key that nobody else draws. */
  randomKey(): string;
  /** In [0, 1). */
  random(): number;
}

/** `CliDeps` and what the command line says for all commands. */
export interface Context extends CliDeps {
  readonly settings: CliConfig;
  /** What the command works on; undefined = this machine. */
  readonly cluster: Cluster | undefined;
}

/** A line of prose. */
export const tell = ({ io }: Pick<CliDeps, "io">, line: string): void => {
  io.stderr.write(`${line}\n`);
};

/** A line of data. */
export const print = ({ io }: Pick<CliDeps, "io">, line: string): void => {
  io.stdout.write(`${line}\n`);
};
