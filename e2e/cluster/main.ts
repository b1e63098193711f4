import { homedir } from "node:os";
import { CopepodError, codeOf } from "@copepod/core/errors";
import { down, endSignals, exec, load, up } from "./command/commands.ts";
import type { Context } from "./command/context.ts";
import { help, type Invocation, parseInvocation, UsageError } from "./command/options.ts";
import { status } from "./command/status.ts";
import { foldersOf } from "./machine/folders.ts";

const exitCodes = { ok: 0, failure: 1, usage: 2, notFound: 3, conflict: 4, timeout: 5, interrupted: 130 } as const;

const interruption = new AbortController();

const context: Context = {
  folders: foldersOf(process.env, homedir()),
  env: process.env,
  // npm runs scripts in the repository's root, wherever it was called.
  cwd: process.env.INIT_CWD ?? process.cwd(),
  say: (line) => process.stderr.write(`${line}\n`),
  print: (text) => process.stdout.write(text),
  signal: interruption.signal,
};

try {
  process.exitCode = await run(parseInvocation(process.argv.slice(2)));
} catch (error) {
  process.exitCode = tell(error);
}

function endOnSignals(): void {
  for (const signal of endSignals) {
    process.on(signal, () => {
      // The second time, the person doesn't want to wait.
      if (interruption.signal.aborted) process.exit(exitCodes.interrupted);
      interruption.abort();
    });
  }
}

async function run(invocation: Invocation): Promise<number> {
  // A command that is run decides itself what Ctrl-C means.
  if (invocation.kind !== "exec") endOnSignals();
  switch (invocation.kind) {
    case "help":
      context.print(help);
      return exitCodes.ok;
    case "up":
      await up(invocation, context);
      return exitCodes.ok;
    case "down":
      await down(invocation, context);
      return exitCodes.ok;
    case "status":
      return (await status(invocation, context)) ? exitCodes.ok : exitCodes.failure;
    case "load":
      await load(invocation, context);
      return exitCodes.ok;
    case "exec":
      return await exec(invocation, context);
  }
}

/** @returns the exit code */
function tell(error: unknown): number {
  if (interruption.signal.aborted) {
    context.say("interrupted; `up` goes on from here, `down` removes what there is");
    return exitCodes.interrupted;
  }
  if (!(error instanceof CopepodError)) {
    context.say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return exitCodes.failure;
  }
  context.say(error.message);
  if (error instanceof UsageError) return exitCodes.usage;
  const code = codeOf(error);
  return code === "notFound" || code === "conflict" || code === "timeout" ? exitCodes[code] : exitCodes.failure;
}
