import { accepted } from "./accepted.ts";
import { bounds } from "./bounds.ts";
import type { Reason } from "./documents.ts";
import { refused } from "./refused.ts";
import { refusedCredentials } from "./refused-credentials.ts";

/** A document and what becomes of it, in a file and on the API server alike. */
export interface Row {
  readonly name: string;
  readonly document: unknown;
  /** Undefined: it is accepted. The path is as the API server says it. */
  readonly refusal?: { readonly path: string; readonly reason: Reason };
}

export const rows: readonly Row[] = [
  ...Object.entries(accepted).map(([name, document]) => ({ name, document })),
  ...Object.entries({ ...refused, ...refusedCredentials }).map(([name, [document, path, reason]]) => ({
    name,
    document,
    refusal: { path, reason },
  })),
  ...bounds.flatMap(({ what, path, from, to, make }): Row[] => [
    ...(from === undefined
      ? []
      : [
          { name: `${what}: ${from}`, document: make(from) },
          { name: `${what}: ${from - 1}`, document: make(from - 1), refusal: { path, reason: /Too small/ } },
        ]),
    { name: `${what}: ${to}`, document: make(to) },
    { name: `${what}: ${to + 1}`, document: make(to + 1), refusal: { path, reason: /Too big/ } },
  ]),
];
