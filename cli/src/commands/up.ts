import type { Sandbox } from "@copepod/agent-image/runner/config";
import { type Context, tell } from "../context.ts";
import { requireMachine } from "./require-target.ts";
import { endError, type SandboxOptions, startSystem } from "./system.ts";

/** The system in the foreground, until a signal ends it. */
export async function up(context: Context, options: SandboxOptions): Promise<number> {
  requireMachine(context, "`copepod up`", "In a cluster the chart runs the system: `copepod install`.");
  tell(context, "Copepod is starting …");
  const system = await startSystem(context, options, (sentence) => tell(context, sentence));
  tell(context, "Copepod is ready.");
  tell(context, `  resources  ${context.settings.home}/resources`);
  tell(context, `  logs       ${system.supervisor.logs}`);
  tell(context, `  sockets    ${system.supervisor.run.folder}`);
  tell(context, `  sandbox    ${sandboxWords[system.supervisor.sandbox]}`);
  tell(context, `Chat with "copepod chat" in another terminal. Ctrl-C ends it.`);
  const cause = await system.ended;
  tell(context, cause.kind === "signal" ? "Copepod is ending …" : "Copepod can't go on.");
  await system.close();
  if (cause.kind === "routerFailed") throw endError(cause);
  tell(context, "Copepod has ended.");
  return 0;
}

const sandboxWords: Readonly<Record<Sandbox, string>> = {
  bubblewrap: "bubblewrap",
  docker: "docker",
  podman: "podman",
  pod: "the pod itself",
  none: "none, so agents that run commands are refused; `copepod doctor` says more",
  waived: "none, as you asked: agents run commands as you",
};
