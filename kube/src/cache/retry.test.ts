import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ApiError } from "../errors.ts";
import { Retry } from "./retry.ts";
import { expired, refused, silent, unavailable } from "./testing/server.ts";

describe("the wait before the API server is asked again", () => {
  it("doubles from 0.8 to 30 s, drawn between nothing and all of it", () => {
    assert.deepEqual(waits(make(0.999_999), silent, 7), [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]);
    assert.deepEqual(waits(make(0.5), silent, 3), [400, 800, 1_600]);
    assert.deepEqual(waits(make(0), silent, 3), [0, 0, 0]);
  });

  it("is five seconds at most while the server answers that it can't serve", () => {
    assert.deepEqual(waits(make(0.999_999), unavailable, 5), [800, 1_600, 3_200, 5_000, 5_000]);
  });

  it("starts anew once the server has served", () => {
    const retry = make(0.999_999);
    waits(retry, unavailable, 5);
    retry.served();
    assert.deepEqual(waits(retry, unavailable, 2), [800, 1_600]);
  });

  it("stays short while connections are refused, and for the first seconds of a server that starts", () => {
    let now = 0;
    const retry = make(0.999_999, () => now);
    waits(retry, silent, 6);
    assert.deepEqual(waits(retry, refused, 100), Array(100).fill(250));
    assert.deepEqual(waits(retry, silent, 3), [1_000, 1_000, 1_000]);
    now = 15_000;
    assert.deepEqual(waits(retry, silent, 1), [30_000]);
  });

  it("knows a refused connection by all addresses of a name", () => {
    const part = (code: string) => Object.assign(new Error(), { code });
    const both = new AggregateError([part("ECONNREFUSED"), part("ECONNREFUSED")]);
    assert.deepEqual(
      waits(make(0.999_999), () => new Error("list", { cause: both }), 1),
      [250],
    );
    const mixed = new AggregateError([part("ECONNREFUSED"), part("ETIMEDOUT")]);
    assert.deepEqual(
      waits(make(0.999_999), () => new Error("list", { cause: mixed }), 1),
      [800],
    );
  });

  it("is nothing for the first 410, and grows when a new list does not help", () => {
    const retry = make(0.999_999);
    waits(retry, unavailable, 3);
    assert.deepEqual(waits(retry, expired, 3), [0, 6_400, 12_800]);
    retry.served();
    assert.deepEqual(waits(retry, expired, 3), [0, 800, 1_600]);
  });

  it("is at least what the server asks for", () => {
    const busy = () => new ApiError("later", { status: 429, reason: "", causes: [], retryAfterMs: 5_000 });
    assert.deepEqual(waits(make(0.999_999), busy, 5), [5_000, 5_000, 5_000, 6_400, 12_800]);
  });
});

const make = (random: number, monotonic = () => 0): Retry => new Retry({ monotonic, random: () => random });

const waits = (retry: Retry, error: () => unknown, times: number): number[] =>
  Array.from({ length: times }, () => Math.round(retry.waitAfter(error())));
