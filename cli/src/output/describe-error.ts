import { CopepodError, errorCatalogue } from "@copepod/core/errors";
import { ExitError } from "../exit-codes.ts";

/** An error as a person reads it: the sentence, and the cure where there is one. */
export function describeError(error: unknown): string {
  if (!(error instanceof CopepodError)) {
    return `Error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
  const cure = error instanceof ExitError ? error.cure : undefined;
  return `Error: ${error.message}\n  ${cure ?? errorCatalogue[error.code].cure}`;
}

/** An error as a program reads it. */
export function errorJson(error: unknown): string {
  const code = error instanceof CopepodError ? error.code : "internal";
  return JSON.stringify({ error: { code, message: error instanceof Error ? error.message : String(error) } });
}
