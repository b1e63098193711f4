import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { waitFor } from "./wait.ts";

const never = new AbortController().signal;

describe("waiting for a condition", () => {
  it("ends with the first value", async () => {
    let looks = 0;
    const value = await waitFor("the third look", () => ++looks === 3 && "there", { timeoutMs: 10_000, signal: never });
    assert.equal(value, "there");
    assert.equal(looks, 3);
  });

  it("ends in time with a sentence that says what did not come and what to do", async () => {
    const waiting = waitFor("Godot", () => false, { timeoutMs: 20, signal: never, hint: async () => "leave" });
    await assert.rejects(waiting, { code: "timeout", message: "waited 0.02 s in vain for Godot; leave" });
  });

  it("ends at once when it is interrupted, or when a look fails", async () => {
    const interruption = new AbortController();
    const waiting = waitFor("Godot", () => false, { timeoutMs: 60_000, signal: interruption.signal });
    interruption.abort(new Error("enough"));
    await assert.rejects(
      waiting,
      (error) => error instanceof Error && /enough|aborted/.test(`${error} ${error.cause}`),
    );
    const failing = () => {
      throw new Error("blind");
    };
    await assert.rejects(waitFor("Godot", failing, { timeoutMs: 60_000, signal: never }), /blind/);
  });
});
