import type { CliDeps } from "../context.ts";

/** A signal that aborts when the process is asked to end, for as long as the work runs. */
export async function untilSignal<T>(
  { onSignal }: Pick<CliDeps, "onSignal">,
  work: (interrupted: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const stopListening = onSignal(() => controller.abort());
  try {
    return await work(controller.signal);
  } finally {
    stopListening();
  }
}
