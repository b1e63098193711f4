import { setTimeout as delay } from "node:timers/promises";
import { codeOf, type ErrorCode } from "@copepod/core/errors";
import { type Context, tell } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { type ChatOptions, chatOver, converse } from "./chat.ts";
import { requireMachine } from "./require-target.ts";
import { endError, type SandboxOptions, startSystem } from "./system.ts";

type StartOptions = ChatOptions & SandboxOptions;

/** Another system that is just starting or just ending can't be joined yet, or no longer be waited out. */
const settleTimeoutMs = 30_000;
const settleIntervalMs = 100;

/** Starts the system and chats with it; when it runs already, only chats. */
export async function start(context: Context, options: StartOptions): Promise<number> {
  requireMachine(context, "`copepod start`", "Chat with a cluster by `copepod chat`; the chart runs the system there.");
  tell(context, "One moment …");
  for (const deadline = performance.now() + settleTimeoutMs; ; await delay(settleIntervalMs)) {
    const started = await unless("alreadyRunning", () => startAndChat(context, options));
    if (started.ok) return started.value;
    const joined = await unless("notRunning", () => context.connect(context.settings));
    if (joined.ok) {
      tell(context, "Copepod runs already; this chat joins it.");
      return await chatOver(context, options, joined.value);
    }
    if (performance.now() > deadline) throw started.error;
  }
}

type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

async function unless<T>(code: ErrorCode, work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    if (codeOf(error) !== code) throw error;
    return { ok: false, error };
  }
}

async function startAndChat(context: Context, options: StartOptions): Promise<number> {
  let say = (sentence: string) => tell(context, sentence);
  const system = await startSystem(context, options, (sentence) => say(sentence));
  const interrupted = new AbortController();
  const ended = system.ended.then((cause) => {
    interrupted.abort();
    return cause;
  });
  try {
    const code = await converse(context, options, {
      connection: system.connection,
      interrupted: interrupted.signal,
      greeting: `Copepod runs as long as this chat ("copepod up" runs it without). /help lists the commands.`,
      onVoice: (notice) => {
        say = notice;
      },
    });
    if (!interrupted.signal.aborted) return code;
    const cause = await ended;
    if (cause.kind === "routerFailed") throw endError(cause);
    return exitCodes.interrupted;
  } finally {
    say = (sentence) => tell(context, sentence);
    tell(context, "Copepod is ending …");
    await system.close();
  }
}
