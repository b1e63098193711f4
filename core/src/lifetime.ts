interface Signals {
  once(signal: "SIGTERM" | "SIGINT", listener: () => void): unknown;
}

interface ParentPipe {
  on(event: "end" | "close" | "error", listener: () => void): unknown;
  on(event: "data", listener: (chunk: string | Uint8Array) => void): unknown;
  resume(): unknown;
  pause(): unknown;
}

/** Why a program is asked to end. `asked`: by its parent, over the pipe. */
export type EndReason = "SIGTERM" | "SIGINT" | "asked" | "parent is gone";

/** What a parent writes into the pipe to ask its child to end: no signal reaches a child in a sandbox. */
export const endLine = "end\n";

/** Aborts on SIGTERM, on SIGINT, or when the parent writes `endLine`. */
export function untilAsked(signals: Signals | undefined, parent: ParentPipe | undefined): AbortSignal {
  const controller = new AbortController();
  signals?.once("SIGTERM", () => controller.abort("SIGTERM"));
  signals?.once("SIGINT", () => controller.abort("SIGINT"));
  let heard = "";
  const decoder = new TextDecoder();
  parent?.on("data", (chunk) => {
    heard = (heard + (typeof chunk === "string" ? chunk : decoder.decode(chunk))).slice(-endLine.length);
    if (heard === endLine) controller.abort("asked");
  });
  return controller.signal;
}

/** Aborts when the pipe from the parent closes: children of a parent that was killed must not go on alone. */
export function untilOrphaned(parent: ParentPipe | undefined): AbortSignal {
  const controller = new AbortController();
  for (const event of ["end", "close", "error"] as const) parent?.on(event, () => controller.abort("parent is gone"));
  parent?.resume();
  return controller.signal;
}

/** Aborts when the program is asked to end or its parent is gone. The pipe is given only where there is one. */
export function untilEnded(signals: Signals | undefined, parent: ParentPipe | undefined): AbortSignal {
  const ended = AbortSignal.any([untilAsked(signals, parent), untilOrphaned(parent)]);
  // A pipe that is read keeps the process alive, also when all its work has ended.
  ended.addEventListener("abort", () => parent?.pause());
  return ended;
}
