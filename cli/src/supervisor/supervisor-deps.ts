import type { Logger } from "pino";
import type { StartChild } from "./child.ts";
import type { Places } from "./commands.ts";
import type { KeepDeps } from "./keep.ts";
import type { LogFile } from "./log-file.ts";
import type { Sandbox } from "./sandbox/sandbox.ts";

/** How long processes may take to end when they are asked to. */
export interface Graces {
  /** A session that is no longer wanted: a running turn may come to its end. */
  readonly sessionMs: number;
  /** A session when the whole system ends: a person waits at the terminal. */
  readonly closingSessionMs: number;
  /** Router and adapter hosts. */
  readonly otherMs: number;
}

export const defaultGraces: Graces = { sessionMs: 60_000, closingSessionMs: 15_000, otherMs: 10_000 };

/** Main files of the programs. */
export interface Scripts {
  readonly router: string;
  readonly host: string;
  readonly proxy: string;
  readonly runner: string;
}

export interface SupervisorDeps extends KeepDeps {
  readonly places: Places;
  readonly scripts: Scripts;
  readonly childEnvironment: Readonly<Record<string, string>>;
  readonly graces: Graces;
  readonly startChild: StartChild;
  readonly sandbox: Sandbox;
  /** To be called before anything is put into the run folder: makes again what was removed of it. Throws if it can't. */
  ensureRunFolder(): void;
  /** @param name without folder and suffix. */
  openLog(name: string): LogFile;
  /** Owns a promise that nobody awaits; its failure is a fault, and is logged. */
  background(work: Promise<unknown>): void;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
  /** A sentence for the person at the terminal. */
  say(sentence: string): void;
}
