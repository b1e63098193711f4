import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isExpired } from "../errors.ts";
import { maxMessageLength, maxRetryAfterMs } from "./limits.ts";
import { retryAfterOf, toApiError } from "./status.ts";

const what = "create pods default/web";

describe("Retry-After", () => {
  const now = Date.UTC(2030, 0, 1, 12, 0, 0);
  const cases: readonly (readonly [string | undefined, number | undefined])[] = [
    ["3", 3_000],
    ["0", 0],
    ["Tue, 01 Jan 2030 12:00:07 GMT", 7_000],
    ["Tue, 01 Jan 2030 11:00:00 GMT", 0],
    ["999999", maxRetryAfterMs],
    ["soon", undefined],
    ["", undefined],
    [undefined, undefined],
  ];
  for (const [value, ms] of cases) {
    it(`of ${JSON.stringify(value)} is ${ms} ms`, () => {
      assert.equal(retryAfterOf({ headers: { "retry-after": value } }, now), ms);
    });
  }
});

describe("a refusal of the API server", () => {
  it("keeps what the Status says, and a sentence that names the call", () => {
    const causes = [{ reason: "FieldValueInvalid", field: "spec.a", message: "too small" }];
    const body = { kind: "Status", message: "pod is invalid", reason: "Invalid", code: 422, details: { causes } };
    const error = toApiError({ what, status: 422, body });
    assert.equal(error.message, "create pods default/web: pod is invalid (HTTP 422)");
    assert.deepEqual([error.code, error.status, error.reason], ["invalid", 422, "Invalid"]);
    assert.deepEqual(error.causes, [{ field: "spec.a", message: "too small" }]);
  });

  it("takes the status of an event from the Status object", () => {
    assert.ok(isExpired(toApiError({ what, body: { message: "too old", reason: "Expired", code: 410 } })));
  });

  it("keeps its status and its reason when another field is not what it should be", () => {
    for (const odd of [
      { details: null },
      { details: { causes: null, retryAfterSeconds: "soon" } },
      { details: { causes: [{ field: 7 }], retryAfterSeconds: 0 } },
      { message: 7 },
    ]) {
      assert.ok(isExpired(toApiError({ what, body: { message: "too old", reason: "Expired", code: 410, ...odd } })));
    }
    const details = { causes: null, retryAfterSeconds: 0 };
    assert.equal(toApiError({ what, status: 429, body: { details } }).retryAfterMs, 0);
    const causes = [{ field: null, message: "too small" }];
    assert.deepEqual(toApiError({ what, body: { details: { causes } } }).causes, [{ field: "", message: "too small" }]);
  });

  it("takes the pause from the header, else from the Status object", () => {
    const body = { message: "busy", details: { retryAfterSeconds: 2 } };
    assert.equal(toApiError({ what, status: 429, body }).retryAfterMs, 2_000);
    assert.equal(toApiError({ what, status: 429, body, retryAfterMs: 5 }).retryAfterMs, 5);
  });

  it("is a sentence also when something else answers than an API server", () => {
    for (const body of [undefined, null, "<html>", [], { message: 7 }]) {
      assert.match(toApiError({ what, status: 502, body }).message, /gave no reason \(HTTP 502\)$/);
    }
  });

  it("does not repeat a message without an end", () => {
    const error = toApiError({ what, status: 400, body: { message: "x".repeat(1e6) } });
    assert.ok(error.message.length < maxMessageLength + 100);
  });
});
