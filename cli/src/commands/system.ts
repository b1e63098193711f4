import { setTimeout as delay } from "node:timers/promises";
import type { HarnessName } from "@copepod/agent-image/harnesses/harness";
import { backoffMs, reconnectBackoff } from "@copepod/core/backoff";
import { CopepodError } from "@copepod/core/errors";
import { type AdminConnection, type Context, tell } from "../context.ts";
import { installHarness } from "../harness/install.ts";
import { makeFirstRun } from "../home/first-run.ts";
import { writingHome } from "../home/make-folder.ts";
import type { OpenSupervisor } from "../supervisor/open-supervisor.ts";
import { routerErrorOf } from "../supervisor/router-error.ts";
import type { SandboxChoice } from "../supervisor/sandbox/choose-sandbox.ts";
import { untilSignal } from "./signals.ts";
import { tellProblems } from "./tell-problems.ts";

/** A person who waits this long without a word begins to doubt. */
const progressAfterMs = 2_000;
/** A router that has not become ready in this time needs its person. */
const readyTimeoutMs = 60_000;

export interface SandboxOptions {
  readonly sandbox: Exclude<SandboxChoice, "unsandboxed">;
  readonly unsandboxed?: true;
}

/** The whole system, started by this process. */
export interface System {
  readonly supervisor: OpenSupervisor;
  readonly connection: AdminConnection;
  /** Resolves with why the system can't go on by itself: a signal, or a router that does not start. */
  readonly ended: Promise<EndCause>;
  /** Ends it; a second signal makes that hurry. */
  close(): Promise<void>;
}

export type EndCause =
  | { readonly kind: "signal"; readonly signal: NodeJS.Signals }
  | { readonly kind: "routerFailed"; readonly reason: string };

/**
 * Starts the system and waits until the router is ready.
 * @param say for what the supervisor has to tell the person.
 * @throws CopepodError `alreadyRunning`; `sandboxMissing`; `unavailable` when the router does not become ready, or a signal came first
 */
export async function startSystem(
  context: Context,
  { sandbox, unsandboxed }: SandboxOptions,
  say: (sentence: string) => void,
): Promise<System> {
  await firstRun(context);
  const supervisor = await context.openSupervisor({
    config: context.settings,
    uid: context.uid,
    sandbox: unsandboxed ? "unsandboxed" : sandbox,
    say,
  });
  const { ended, hurryBySignal, stopListening } = watchEnd(context, supervisor);
  const connection = await context.connect(context.settings);
  const close = async () => {
    hurryBySignal();
    const progress = setTimeout(
      () => tell(context, "Running turns may end first; Ctrl-C ends all at once."),
      progressAfterMs,
    );
    await connection.close();
    await supervisor.close();
    clearTimeout(progress);
    stopListening();
  };
  try {
    await readyOrEnded(context, connection, ended);
  } catch (error) {
    await close();
    throw error;
  }
  await tellProblems(context);
  return { supervisor, connection, ended, close };
}

async function firstRun(context: Context): Promise<void> {
  const { home, models } = context.settings;
  const made = await writingHome(home, () => makeFirstRun(home, context.userName, models));
  if (!made) return;
  tell(context, `First run: made ${home}/resources with a sample agent (${made.written.join(", ")}).`);
  const { model } = made;
  if (!model) return;
  const stored = model.key === undefined ? "" : `stored it as the key "${model.name}"; `;
  tell(context, `Found ${model.source}: ${stored}the sample agent uses ${model.provider} with it.`);
  await offerHarness(context, model.provider);
}

/** Installs what the sample agent needs. That it fails is told, and no reason not to start. */
async function offerHarness(context: Context, name: HarnessName): Promise<void> {
  const { harnessesDir, own: env } = context.settings;
  const say = (line: string) => tell(context, line);
  try {
    await untilSignal(context, (signal) => installHarness(name, { harnessesDir, env, signal, say }));
  } catch (error) {
    if (!(error instanceof CopepodError) || error.code === "cancelled") throw error;
    say(`${error.message}\nThe sample agent needs it: \`copepod provider add ${name}\` tries again.`);
  }
}

function watchEnd(context: Context, supervisor: OpenSupervisor) {
  const signalled = Promise.withResolvers<EndCause>();
  let isEnding = false;
  const hurryBySignal = () => {
    isEnding = true;
  };
  const stopListening = context.onSignal((signal) => {
    if (isEnding) supervisor.kill();
    hurryBySignal();
    signalled.resolve({ kind: "signal", signal });
  });
  const failed = supervisor.routerFailed.then((reason): EndCause => ({ kind: "routerFailed", reason }));
  return { ended: Promise.race([signalled.promise, failed]), hurryBySignal, stopListening };
}

async function readyOrEnded(context: Context, connection: AdminConnection, ended: Promise<EndCause>): Promise<void> {
  const giveUp = new AbortController();
  const early = ended.then((cause) => {
    giveUp.abort();
    throw endError(cause);
  });
  await Promise.race([untilReady(context, connection, giveUp.signal), early]);
}

export function endError(cause: EndCause): CopepodError {
  switch (cause.kind) {
    case "signal":
      return new CopepodError("cancelled", `asked to end by ${cause.signal}`);
    case "routerFailed":
      return (
        routerErrorOf(cause.reason) ?? new CopepodError("unavailable", `the router does not start: it ${cause.reason}`)
      );
  }
}

/** Waits until the router answers that it is ready; says after a while what it waits for. */
export async function untilReady(context: Context, connection: AdminConnection, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  let said = "";
  for (let attempt = 1; ; attempt++) {
    const hindrance = await whatHinders(connection, signal);
    if (hindrance === undefined) return;
    const waitedMs = performance.now() - startedAt;
    if (waitedMs > readyTimeoutMs) throw new CopepodError("unavailable", `Copepod is not ready: ${hindrance}`);
    if (waitedMs > progressAfterMs && hindrance !== said) {
      said = hindrance;
      tell(context, `Still starting: ${hindrance}.`);
    }
    await delay(Math.min(backoffMs(reconnectBackoff, attempt, context.random()), 500), undefined, { signal });
  }
}

async function whatHinders({ admin, namespace }: AdminConnection, signal: AbortSignal): Promise<string | undefined> {
  try {
    const status = await admin.status({ namespace }, { signal });
    return status.ready ? undefined : status.reasons.join("; ") || "the router is not ready";
  } catch (error) {
    if (error instanceof CopepodError && error.code === "unavailable") return "the router does not answer yet";
    throw error;
  }
}
