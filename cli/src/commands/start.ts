import { codeOf } from "@copepod/core/errors";
import { type Context, tell } from "../context.ts";
import { exitCodes } from "../exit-codes.ts";
import { type ChatOptions, chat, converse } from "./chat.ts";
import { endError, startSystem } from "./system.ts";

/** Starts the system and chats with it; when it runs already, only chats. */
export async function start(context: Context, options: ChatOptions): Promise<number> {
  try {
    return await startAndChat(context, options);
  } catch (error) {
    if (codeOf(error) !== "alreadyRunning") throw error;
  }
  tell(context, "Copepod runs already; this chat joins it.");
  return await chat(context, options);
}

async function startAndChat(context: Context, options: ChatOptions): Promise<number> {
  tell(context, "Copepod is starting …");
  let say = (sentence: string) => tell(context, sentence);
  const system = await startSystem(context, (sentence) => say(sentence));
  const interrupted = new AbortController();
  const ended = system.ended.then((cause) => {
    interrupted.abort();
    return cause;
  });
  try {
    const code = await converse(context, options, {
      admin: system.admin,
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
