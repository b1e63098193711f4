import { CopepodError, errorCatalogue } from "@copepod/core/errors";

/** An error as a person reads it: the sentence, and the cure where there is one. */
export function describeError(error: unknown): string {
  if (!(error instanceof CopepodError)) {
    return `Error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
  return `Error: ${error.message}\n  ${errorCatalogue[error.code].cure}`;
}

/** An error as a program reads it. */
export function errorJson(error: unknown): string {
  const code = error instanceof CopepodError ? error.code : "internal";
  return JSON.stringify({ error: { code, message: error instanceof Error ? error.message : String(error) } });
}
