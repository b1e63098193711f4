import type { Reflectors } from "../cache/reflectors.ts";

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

/**
 * What `/healthz` and `/readyz` answer, each with checks of its own: 200 when ok, else 503. A check that throws has failed.
 * `/healthz` has a check only for what a restart cures: not for the API server, and not for a lost leadership, with which a
 * program ends by itself.
 */
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

/** What `/readyz` looks at: no work for a program that stops, and none by caches that are not full or that nobody fills. */
export const readinessChecks = (stop: AbortSignal, reflectors: Pick<Reflectors, "problem">): readonly HealthCheck[] => [
  { name: "stopping", look: () => (stop.aborted ? "It is stopping." : undefined) },
  { name: "caches", look: () => reflectors.problem() },
];
