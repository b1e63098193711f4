import { parentPort, workerData } from "node:worker_threads";
import { CopepodError, type ErrorCode } from "@copepod/core/errors";
import { type Command, QueueEngine, type Result } from "./engine.ts";

/** What the thread gets when it starts. */
export interface ThreadOptions {
  readonly path: string;
  readonly now: number;
  readonly monotonic: number;
}

export type ToThread = { readonly kind: "batch"; readonly commands: readonly Command[] } | { readonly kind: "close" };

export type FromThread =
  | { readonly kind: "opened" }
  | { readonly kind: "failed"; readonly code: ErrorCode | undefined; readonly message: string }
  | { readonly kind: "results"; readonly results: readonly Result[] };

function serve(options: ThreadOptions): void {
  const port = parentPort;
  if (!port) throw new Error("this module is the body of a worker thread");
  const send = (message: FromThread) => port.postMessage(message);
  const engine = tryOpen(options, send);
  if (!engine) return;
  port.on("message", (message: ToThread) => {
    switch (message.kind) {
      case "batch":
        send({ kind: "results", results: engine.run(message.commands) });
        break;
      case "close":
        engine.close();
        port.close();
        break;
    }
  });
  send({ kind: "opened" });
}

function tryOpen(options: ThreadOptions, send: (message: FromThread) => void): QueueEngine | undefined {
  try {
    return new QueueEngine(options);
  } catch (error) {
    const code = error instanceof CopepodError ? error.code : undefined;
    send({ kind: "failed", code, message: error instanceof Error ? error.message : String(error) });
    return undefined;
  }
}

serve(workerData);
