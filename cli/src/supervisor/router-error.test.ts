import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isLasting, routerErrorOf } from "./router-error.ts";

const ended = (line: string) => `ended with exit code 1: ${line}`;

describe("why the router ended", () => {
  it("is its own error when it said one", () => {
    const error = routerErrorOf(ended("router: databaseNewer: The queue has version 9."));
    assert.deepEqual([error?.code, error?.message], ["databaseNewer", "The queue has version 9."]);
    assert.equal(routerErrorOf(ended("Segmentation fault")), undefined);
    assert.equal(routerErrorOf(ended("router: surprise: what is this")), undefined);
  });

  it("is lasting when only a person can mend it", () => {
    assert.equal(isLasting(ended("router: databaseNewer: x")), true);
    assert.equal(isLasting(ended("router: databaseHeld: x")), false, "a router that is just ending lets go of it");
    assert.equal(isLasting(ended("killed by SIGSEGV")), false);
  });
});
