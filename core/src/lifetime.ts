interface Signals {
  once(signal: "SIGTERM" | "SIGINT", listener: () => void): unknown;
}

interface ParentPipe {
  on(event: "end" | "close" | "error", listener: () => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/** Why a program is asked to end. */
export type EndReason = "SIGTERM" | "SIGINT" | "parent is gone";

/**
 * Aborts on SIGTERM, SIGINT, or when the pipe from the parent closes: children of a supervisor that was killed must
 * not go on alone. The pipe is given only where there is one; in a container stdin is closed from the start.
 */
export function untilEnded(signals: Signals | undefined, parent: ParentPipe | undefined): AbortSignal {
  const controller = new AbortController();
  const end = (reason: EndReason) => () => controller.abort(reason);
  signals?.once("SIGTERM", end("SIGTERM"));
  signals?.once("SIGINT", end("SIGINT"));
  for (const event of ["end", "close", "error"] as const) parent?.on(event, end("parent is gone"));
  parent?.resume();
  // A pipe that is read keeps the process alive, also when all its work has ended.
  controller.signal.addEventListener("abort", () => parent?.pause());
  return controller.signal;
}
