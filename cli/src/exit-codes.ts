import { CopepodError, codeOf, type ErrorCode } from "@copepod/core/errors";

/** Every exit code of `copepod`, and what it says. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  conflict: 4,
  timeout: 5,
  unanswered: 6,
  refused: 7,
  notRunning: 8,
  interrupted: 130,
} as const;

export type ExitName = keyof typeof exitCodes;

const meanings: Record<ExitName, string> = {
  ok: "done",
  failure: "failed; the message says why",
  usage: "the command line is not valid",
  notFound: "nothing of that name exists",
  conflict: "the state has moved on",
  timeout: "the answer did not come in time; the message is kept",
  unanswered: "a message got no answer; in a pipe, at least one of them",
  refused: "refused: a rate, a full lane or quota, no free place, a sender or a wiring",
  notRunning: "no Copepod runs for this home",
  interrupted: "interrupted by Ctrl-C",
};

/** The table for `--help`. */
export const exitCodeHelp: string = [
  "Exit codes:",
  ...Object.entries(exitCodes).map(([name, code]) => `  ${String(code).padEnd(5)}${meanings[name as ExitName]}`),
].join("\n");

/** Which exit each error code leads to. */
export const exitOf: Record<ErrorCode, ExitName> = {
  invalid: "failure",
  unauthorized: "failure",
  forbidden: "refused",
  notFound: "notFound",
  conflict: "conflict",
  superseded: "conflict",
  tooLarge: "failure",
  podUnknown: "failure",
  laneFull: "refused",
  rateLimited: "refused",
  cancelled: "interrupted",
  senderUnknown: "refused",
  notWired: "refused",
  groupMissing: "notFound",
  destinationUnknown: "notFound",
  attemptsExhausted: "failure",
  expired: "failure",
  providerAuth: "failure",
  providerFailed: "failure",
  providerMissing: "failure",
  installFailed: "failure",
  sandboxMissing: "failure",
  upstreamUnknown: "failure",
  requestNotAllowed: "failure",
  credentialForeign: "failure",
  targetAmbiguous: "failure",
  methodRefused: "failure",
  upgradeRefused: "failure",
  addressDenied: "failure",
  secretMissing: "failure",
  secretEchoed: "failure",
  upstreamFailed: "failure",
  channelFailed: "failure",
  channelAuth: "failure",
  outcomeUnknown: "failure",
  startFailed: "failure",
  timeout: "timeout",
  unavailable: "failure",
  clusterUnavailable: "failure",
  diskFull: "failure",
  quotaExceeded: "refused",
  databaseNewer: "failure",
  databaseHeld: "failure",
  databaseDamaged: "failure",
  networkFileSystem: "failure",
  sqliteTooOld: "failure",
  alreadyRunning: "conflict",
  notRunning: "notRunning",
  internal: "failure",
};

/** An end with an exit code that no error code leads to, or with a cure of its own. */
export class ExitError extends CopepodError {
  readonly exit: ExitName;
  /** In place of the code's. */
  readonly cure: string | undefined;

  constructor(
    exit: ExitName,
    code: ErrorCode,
    { message, cure }: { readonly message: string; readonly cure?: string | undefined },
  ) {
    super(code, message);
    this.exit = exit;
    this.cure = cure;
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof ExitError) return exitCodes[error.exit];
  return exitCodes[exitOf[codeOf(error)]];
}
