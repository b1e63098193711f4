import { z } from "zod";

interface ErrorEntry {
  /** HTTP status of the answer that carries the code. */
  readonly status: number;
  readonly meaning: string;
  /** What the reader of the message can do about it. */
  readonly cure: string;
}

/** Every code that Copepod answers, prints or stores. `docs/reference/errors.md` is generated from this table. */
export const errorCatalogue = {
  invalid: {
    status: 400,
    meaning: "The input does not have the shape that is asked for.",
    cure: "Mend what the message names. Nothing was changed.",
  },
  unauthorized: {
    status: 401,
    meaning: "The request carries no valid token.",
    cure: "Use the Unix socket of the run folder; in a cluster `--service-account` or `--token-file`.",
  },
  forbidden: {
    status: 403,
    meaning: "The caller is known but may not do this.",
    cure: "Ask an owner or admin to give the role, or use what the caller may use.",
  },
  notFound: {
    status: 404,
    meaning: "Nothing of that name exists.",
    cure: "List what exists with `copepod get <kind>`; `copepod get` alone names the kinds.",
  },
  conflict: {
    status: 409,
    meaning: "The state has moved on, so the request no longer applies.",
    cure: "Read the present state and decide again.",
  },
  superseded: {
    status: 409,
    meaning: "Another runner instance, pod or epoch holds the session now, or another process leads.",
    cure: "The old one exits; nothing else is to be done.",
  },
  tooLarge: {
    status: 413,
    meaning: "The body or a part of it is larger than the limit in the message.",
    cure: "Send less at once.",
  },
  podUnknown: {
    status: 425,
    meaning: "The router does not know this pod or its token yet.",
    cure: "Try again in a moment; the proxy does so by itself.",
  },
  laneFull: {
    status: 429,
    meaning: "A session has as many open messages as it may have.",
    cure: "Wait for the agent's answer, then send again.",
  },
  rateLimited: {
    status: 429,
    meaning: "A sender or a provider is above its rate.",
    cure: "Wait for the time in the message, then send again.",
  },
  cancelled: {
    status: 409,
    meaning: "A person stopped the turn before it ended.",
    cure: "Send the message again if it should be answered after all.",
  },
  senderUnknown: {
    status: 403,
    meaning: "The agent group answers known senders only, and no User gives this one a role for it.",
    cure: "Add the identity that the message names to a User with a role for the agent group.",
  },
  notWired: {
    status: 404,
    meaning: "No wiring sends this conversation to an agent group.",
    cure: "Apply a Wiring for the channel and the conversation.",
  },
  groupMissing: {
    status: 404,
    meaning: "A wiring or a command names an agent group that does not exist.",
    cure: "Apply the AgentGroup, or mend the name.",
  },
  destinationUnknown: {
    status: 404,
    meaning: "The agent named a destination that is not in its address book.",
    cure: "Use a name from the list of destinations.",
  },
  attemptsExhausted: {
    status: 500,
    meaning: "A message was tried as often as it may be and never came to an end.",
    cure: "See the last error with `copepod get dead-letters`, mend the cause, then `copepod retry`.",
  },
  expired: {
    status: 504,
    meaning: "A message waited longer than it may.",
    cure: "Mend the channel or the agent, then `copepod retry`.",
  },
  providerAuth: {
    status: 502,
    meaning: "The provider refused the credentials.",
    cure: "Give the agent group a valid credential, then `copepod retry`.",
  },
  providerFailed: {
    status: 502,
    meaning: "The provider ended the turn with an error that a retry does not cure.",
    cure: "Read the sentence behind the code; change the message or the agent group.",
  },
  providerMissing: {
    status: 500,
    meaning: "The agent group names a provider that is not installed.",
    cure: "Use one that the message lists.",
  },
  installFailed: {
    status: 500,
    meaning: "The harness of a provider could not be installed.",
    cure: "Read npm's last lines in the message; mostly it is the network or the disk. Then run the command again.",
  },
  sandboxMissing: {
    status: 503,
    meaning: "The provider can run commands, and this machine has nothing to run them in apart from the rest.",
    cure: "Install bubblewrap (`copepod doctor` tells how), or start with `--unsandboxed`.",
  },
  upstreamUnknown: {
    status: 404,
    meaning: "No credential of the agent group leads to the address that the agent asked for.",
    cure: "Name the Credential in `spec.credentials` of the AgentGroup.",
  },
  requestNotAllowed: {
    status: 403,
    meaning: "No rule of the credential lets this method and path through.",
    cure: "Add the path to `match` of the Credential, if the agent shall reach it.",
  },
  credentialForeign: {
    status: 403,
    meaning: "The agent sent a key of its own, or another credential's placeholder.",
    cure: "Send the placeholder that the session was given; the proxy puts the key in.",
  },
  targetAmbiguous: {
    status: 400,
    meaning: "The path or host of the request can be read in more than one way.",
    cure: "Send the path in its plain form, without dot segments and encoded slashes.",
  },
  methodRefused: {
    status: 405,
    meaning: "The method would show a key to the agent, such as TRACE.",
    cure: "Use another method.",
  },
  upgradeRefused: {
    status: 426,
    meaning: "The proxy does not pass on WebSockets.",
    cure: "Use plain HTTP; harnesses fall back to it by themselves.",
  },
  addressDenied: {
    status: 403,
    meaning: "The host has a private, local or metadata address.",
    cure: "Set `upstream.private` of the Credential, if the host is meant to be reached.",
  },
  secretMissing: {
    status: 503,
    meaning: "The credential has no readable key.",
    cure: "Store it with `copepod keys add <name>`; it counts from the next request on.",
  },
  secretEchoed: {
    status: 502,
    meaning: "The answer held the key itself, so it was withheld.",
    cure: "Look at what the host does with the header; renew the key if others could see it.",
  },
  upstreamFailed: {
    status: 502,
    meaning: "The model API could not be reached, or broke off.",
    cure: "Look at `upstream.baseUrl` of the Credential and at the network; harnesses try again by themselves.",
  },
  channelFailed: {
    status: 502,
    meaning: "The platform refused the message for good.",
    cure: "Read the sentence behind the code; the conversation may be gone or closed to the bot.",
  },
  channelAuth: {
    status: 502,
    meaning: "The platform refused the channel's credentials.",
    cure: "Renew the channel's secret, then `copepod retry`.",
  },
  outcomeUnknown: {
    status: 502,
    meaning: "The platform may or may not have shown the message, and has no history to look it up in.",
    cure: "Look into the chat; `copepod retry` sends it again.",
  },
  startFailed: {
    status: 503,
    meaning: "The session's process could not be started several times in a row.",
    cure: "It is tried again by itself. `copepod get sessions` has the reason; in a cluster ask `copepod debug session <name>`.",
  },
  timeout: {
    status: 504,
    meaning: "The answer did not come within the time that was given.",
    cure: "Give more time with `--timeout`; the message is kept and goes on.",
  },
  unavailable: {
    status: 503,
    meaning: "A part of Copepod is not running or is starting.",
    cure: "Try again in a moment; `copepod doctor` says what is missing.",
  },
  clusterUnavailable: {
    status: 503,
    meaning: "The Kubernetes API server could not be reached, or could not serve the request in time.",
    cure: "Look at the API server, and at the kubeconfig that names it; programs try again by themselves.",
  },
  diskFull: {
    status: 507,
    meaning: "The disk of the queue is full. Nothing was accepted or lost.",
    cure: "Make room on the disk that the message names, in a cluster on the router's volume; the router goes on by itself.",
  },
  quotaExceeded: {
    status: 507,
    meaning: "Files of messages take all the room that they may have: those of one session, or of all.",
    cure: "Send what was uploaded, or fewer files. Those of old messages go with them (`COPEPOD_RETENTION_DAYS`).",
  },
  databaseNewer: {
    status: 500,
    meaning: "The queue database was written by a newer version of Copepod.",
    cure: "Install that version, or restore a backup made by this one.",
  },
  databaseHeld: {
    status: 500,
    meaning: "Another router holds the queue database.",
    cure: "End the other router. One that was killed is replaced at once.",
  },
  databaseDamaged: {
    status: 500,
    meaning: "The queue database fails its integrity check.",
    cure: "Restore the last backup; see docs/operations.md.",
  },
  networkFileSystem: {
    status: 500,
    meaning: "The queue database lies on a network file system, where SQLite loses data.",
    cure: "Put COPEPOD_HOME on a local disk; in a cluster give the router a class that is no network file system.",
  },
  sqliteTooOld: {
    status: 500,
    meaning: "The SQLite library has a known fault that loses acknowledged rows.",
    cure: "Run `npm ci` again, so that the pinned better-sqlite3 is used.",
  },
  alreadyRunning: {
    status: 409,
    meaning: "A supervisor already runs for this COPEPOD_HOME.",
    cure: "Use it (`copepod chat`), or end it first.",
  },
  notRunning: {
    status: 503,
    meaning: "No Copepod runs for this COPEPOD_HOME, or in the system's namespace of the cluster.",
    cure: "Start it with `npm start`, or `copepod up`; in a cluster install it with `copepod install`.",
  },
  internal: {
    status: 500,
    meaning: "A fault inside Copepod. The log has the details under the request id.",
    cure: "Report it with the request id and the log.",
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorCatalogue;

export const errorCodes = Object.keys(errorCatalogue) as [ErrorCode, ...ErrorCode[]];

/** The one error type. Its message is a sentence for a person; whatever else is thrown is a fault or an outage. */
export class CopepodError extends Error {
  override readonly name = "CopepodError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What is not a CopepodError is always "internal": its text is for our log, never for a user. */
export const codeOf = (error: unknown): ErrorCode => (error instanceof CopepodError ? error.code : "internal");

export const statusOf = (code: ErrorCode): number => errorCatalogue[code].status;

/** Body of every answer with status 400 or more. */
export const errorBodySchema = z.object({
  error: z.object({ code: z.enum(errorCodes), message: z.string(), requestId: z.string().optional() }),
});

/** The first problem of a zod error as one sentence: where, and what is wrong there. */
export function describeIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (!issue) return "the input is not valid";
  const where = issue.path.map(String).join(".") || "the input";
  const more = error.issues.length > 1 ? ` (and ${error.issues.length - 1} more)` : "";
  return `${where}: ${issue.message}${more}`;
}

/** Parses at an edge. @throws CopepodError `invalid` with the path of the first problem. */
export function parseInput<S extends z.ZodType>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw new CopepodError("invalid", describeIssue(result.error), { cause: result.error });
}
