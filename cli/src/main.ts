#!/usr/bin/env node
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { CommanderError } from "commander";
import { readConfig } from "./config.ts";
import { exitCodes } from "./exit-codes.ts";
import { buildProgram } from "./program.ts";

const endSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const user = whoAmI();

const program = buildProgram({
  io: { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr },
  version,
  charts: fileURLToPath(new URL("../../charts", import.meta.url)),
  programName: basename(process.argv[1] ?? ""),
  userName: user.username,
  userHome: user.homedir,
  uid: user.uid,
  config: (home) =>
    readConfig({ ...process.env, ...(home === undefined ? {} : { COPEPOD_HOME: home }) }, process.cwd()),
  // Imported when they are needed: `--help` shall not wait for them.
  connect: async (config) => (await import("./http/connect.ts")).connectAdmin(config),
  openCluster: async (config, options) => {
    const { systemClock } = await import("@copepod/kube/clock");
    return await (await import("./cluster/open-cluster.ts")).openCluster(config, { ...options, clock: systemClock });
  },
  openSupervisor: async (options) => (await import("./supervisor/open-supervisor.ts")).openSupervisor(options),
  onSignal: (listener) => {
    const onPipeClosed = () => listener("SIGPIPE");
    for (const signal of endSignals) process.on(signal, listener);
    process.stdout.on("error", onPipeClosed);
    return () => {
      for (const signal of endSignals) process.off(signal, listener);
      process.stdout.off("error", onPipeClosed);
    };
  },
  setExitCode: (code) => {
    process.exitCode = code;
  },
  randomKey: randomUUID,
  random: Math.random,
});

// Who reads our output may stop before we do, as in `copepod get messages | head`.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
}

/** A user that the system has no name for, as in a container, is called by its number. */
function whoAmI(): { readonly username: string; readonly homedir: string; readonly uid: number } {
  try {
    return userInfo();
  } catch {
    const uid = process.getuid?.() ?? 0;
    return { username: `user-${uid}`, homedir: homedir(), uid };
  }
}
