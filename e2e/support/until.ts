import { setInterval } from "node:timers/promises";

const lookEveryMs = 25;

/** Waits for a condition. @returns its first value that is not undefined or false. Fails loudly when it never comes. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  const first = await look();
  if (first !== undefined && first !== false) return first;
  for await (const _ of setInterval(lookEveryMs)) {
    const value = await look();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > deadline) break;
  }
  throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
}
