import assert from "node:assert/strict";
import { it } from "node:test";
import { toFailure } from "./failure.ts";
import type { TurnError } from "./protocol.ts";

const cases: [string, TurnError, object][] = [
  [
    "a status",
    {
      message: "status 401: no, url: http://127.0.0.1:1/v1",
      codexErrorInfo: { httpConnectionFailed: { httpStatusCode: 401 } },
    },
    { class: "auth", message: "status 401: no" },
  ],
  [
    "a status above a name",
    { message: "exceeded", codexErrorInfo: { responseTooManyFailedAttempts: { httpStatusCode: 429 } } },
    { class: "rateLimited", message: "exceeded" },
  ],
  [
    "a name without a status",
    { message: "gone", codexErrorInfo: { responseStreamDisconnected: { httpStatusCode: null } } },
    { class: "transient", message: "gone" },
  ],
  [
    "a time to wait",
    { message: "Rate limit reached. Please try again in 1.5s.", codexErrorInfo: "rateLimitExceeded" },
    { class: "rateLimited", message: "Rate limit reached. Please try again in 1.5s.", retryAfterMs: 1_500 },
  ],
  [
    "a time in milliseconds",
    { message: "Please try again in 250ms.", codexErrorInfo: "usageLimitExceeded" },
    { class: "rateLimited", message: "Please try again in 250ms.", retryAfterMs: 250 },
  ],
  [
    "the body of a refused request",
    { message: '{"error":{"message":"no such field"}}', codexErrorInfo: "other" },
    { class: "permanent", message: "no such field" },
  ],
  ["what is new", { message: "odd", codexErrorInfo: "toString" }, { class: "unknown", message: "odd" }],
  ["nothing", { message: "odd", codexErrorInfo: null }, { class: "unknown", message: "odd" }],
];

for (const [what, error, expected] of cases) {
  it(`reads the class of a failure from ${what}`, () => {
    assert.deepEqual(toFailure(error), { kind: "failed", ...expected });
  });
}
