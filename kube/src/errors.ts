import { CopepodError, type ErrorCode } from "@copepod/core/errors";

/** What a `Status` of the API server says. */
export interface ApiStatus {
  /** HTTP status. */
  readonly status: number;
  /** Such as `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, `Expired`; empty where the server gave none. */
  readonly reason: string;
  /** Paths that the server complains about, with its sentence for each. */
  readonly causes: readonly { readonly field: string; readonly message: string }[];
  /** From `Retry-After`, in milliseconds. */
  readonly retryAfterMs?: number;
}

/** The API server answered, and the answer was no. An outage is a CopepodError `clusterUnavailable` instead. */
export class ApiError extends CopepodError {
  readonly status: number;
  readonly reason: string;
  readonly causes: ApiStatus["causes"];
  readonly retryAfterMs: number | undefined;

  constructor(message: string, { status, reason, causes, retryAfterMs }: ApiStatus) {
    super(codeOfStatus(status), message);
    this.status = status;
    this.reason = reason;
    this.causes = causes;
    this.retryAfterMs = retryAfterMs;
  }
}

const codes: Readonly<Record<number, ErrorCode>> = {
  400: "invalid",
  401: "unauthorized",
  403: "forbidden",
  404: "notFound",
  405: "invalid",
  409: "conflict",
  410: "conflict",
  413: "tooLarge",
  415: "invalid",
  422: "invalid",
  429: "rateLimited",
};

const codeOfStatus = (status: number): ErrorCode => codes[status] ?? (status >= 500 ? "clusterUnavailable" : "invalid");

/** `status` 404: the object, its namespace or its kind does not exist. */
export const isNotFound = (error: unknown): boolean => error instanceof ApiError && error.status === 404;
/** Somebody was faster: another resourceVersion, another UID, or another field manager. */
export const isConflict = (error: unknown): boolean =>
  error instanceof ApiError && error.status === 409 && error.reason !== "AlreadyExists";
export const isAlreadyExists = (error: unknown): boolean =>
  error instanceof ApiError && error.reason === "AlreadyExists";
/** The resourceVersion or the continue token is too old; list again. */
export const isExpired = (error: unknown): boolean =>
  error instanceof ApiError && (error.status === 410 || error.reason === "Expired");
