import type { Reflector } from "../cache/reflector.ts";

/** One reason why a program may be unwell. */
export interface HealthCheck {
  readonly name: string;
  /** @returns undefined when all is well, else a sentence */
  readonly look: () => string | undefined;
}

export interface Health {
  readonly ok: boolean;
  readonly failed: readonly { readonly name: string; readonly why: string }[];
}

/** What `/healthz` and `/readyz` answer, each with checks of its own: 200 when ok, else 503. A check that throws has failed. */
export function healthOf(checks: readonly HealthCheck[]): Health {
  const failed = checks.flatMap(({ name, look }) => {
    const why = lookAt(look);
    return why === undefined ? [] : [{ name, why }];
  });
  return { ok: failed.length === 0, failed };
}

function lookAt(look: () => string | undefined): string | undefined {
  try {
    return look();
  } catch (error) {
    return `The check itself failed: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** For readiness: no work for a program that is told to stop. */
export const notStopping = (stop: AbortSignal): HealthCheck => ({
  name: "stopping",
  look: () => (stop.aborted ? "It is stopping." : undefined),
});

/** For readiness: nothing may be decided before the first list, nor by what nobody has heard of for long. */
export const cacheIsFresh = (reflector: Pick<Reflector<unknown>, "name" | "status">): HealthCheck => ({
  name: reflector.name,
  look: () => reflector.status().problem,
});
