import { CopepodError, type ErrorCode, errorCodes } from "@copepod/core/errors";

/** Codes with which a router that is started again would end again. */
const lasting: ReadonlySet<ErrorCode> = new Set([
  "databaseNewer",
  "databaseDamaged",
  "networkFileSystem",
  "sqliteTooOld",
  "invalid",
]);

/** The router's own error, when why it ended has one: its last line is `router: <code>: <sentence>`. */
export function routerErrorOf(reason: string): CopepodError | undefined {
  const [, name, message] = /router: (\w+): (.+)$/s.exec(reason) ?? [];
  const code = errorCodes.find((known) => known === name);
  return code && message !== undefined ? new CopepodError(code, message) : undefined;
}

/** Starting the router again would not help: a person has to do something first. */
export function isLasting(reason: string): boolean {
  const error = routerErrorOf(reason);
  return error !== undefined && lasting.has(error.code);
}
