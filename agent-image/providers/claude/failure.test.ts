import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { toFailure } from "./failure.ts";
import type { SdkResult } from "./sdk.ts";

const result = (said: string, status: number | null, reason = "api_error"): SdkResult => ({
  type: "result",
  is_error: true,
  api_error_status: status,
  terminal_reason: reason,
  result: said,
});

const cases: readonly [what: string, result: SdkResult, expected: object][] = [
  [
    "a refusal of the key, in the words of the API or of the proxy",
    result("Failed to authenticate. API Error: 403 no rule of the credential lets GET /v1/files through", 403),
    { class: "auth", message: "API Error: 403 no rule of the credential lets GET /v1/files through" },
  ],
  [
    "a key that is missing at the proxy",
    result(
      "API Error: 503 the credential has no key. This is a server-side issue, usually temporary — try again in a " +
        "moment. If it persists, check your inference gateway (127.0.0.1:1).",
      503,
    ),
    { class: "transient", message: "API Error: 503 the credential has no key." },
  ],
  ["a harness without a key", result("Not logged in · Please run /login", null), { class: "auth" }],
  [
    "an API that can't be reached",
    result("API Error: Connection refused (ECONNREFUSED)", null),
    { class: "transient" },
  ],
  ["a request that the API does not take", result("API Error: 400 no such field", 400), { class: "permanent" }],
  ["a model that is too busy", result("API Error: 529 Overloaded.", 529), { class: "transient" }],
  ["a rate", result("API Error: Request rejected (429) · slowly", 429), { class: "rateLimited", retryAfterMs: 7_000 }],
  [
    "a conversation that is too long also after it was compacted",
    result("Prompt is too long", 400, "prompt_too_long"),
    { class: "permanent", continuationLost: true },
  ],
  [
    "a session that is lost",
    { type: "result", is_error: true, errors: ["No conversation found with session ID: 1"] },
    { class: "transient", continuationLost: true },
  ],
  [
    "an end without a word",
    { type: "result", is_error: true },
    { class: "unknown", message: "The harness ended the turn without saying why." },
  ],
];

describe("a failure of Claude", () => {
  for (const [what, given, expected] of cases) {
    it(`tells of ${what}`, () => {
      const failed = toFailure(given, 7_000);
      assert.deepEqual(failed, { ...failed, ...expected });
      assert.equal("retryAfterMs" in failed, "retryAfterMs" in expected);
    });
  }
});
