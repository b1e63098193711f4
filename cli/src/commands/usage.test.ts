import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { UsageSum } from "@copepod/core/admin-api";
import { FakeRouter } from "../testing/fake-router.ts";
import { runCli } from "../testing/run-cli.ts";

const sum: UsageSum = {
  key: "helper",
  requests: 12,
  failed: 1,
  inputTokens: 34_000,
  outputTokens: 560,
  cacheReadTokens: 7,
  cacheWriteTokens: 8,
  costMicros: 1_234_567,
  unpriced: 0,
};

describe("copepod usage", () => {
  it("shows tokens and cost by group, and says what has no price", async () => {
    await using router = await FakeRouter.start();
    router.usage.set("group", [sum, { ...sum, key: "other", costMicros: 0, unpriced: 3 }]);
    const { code, stdout } = await runCli(["usage"], { router });
    assert.equal(code, 0);
    assert.match(stdout, /^GROUP +REQUESTS +FAILED +INPUT +OUTPUT +CACHE-READ +CACHE-WRITE +COST\n/);
    assert.match(stdout, /helper +12 +1 +34000 +560 +7 +8 +\$1\.2346\nother .*\$0\.0000 \+ 3 without a price\n$/);
  });

  it("sums by what is asked for, also as JSON", async () => {
    await using router = await FakeRouter.start();
    router.usage.set("user", [{ ...sum, key: "" }]);
    assert.match((await runCli(["usage", "--by", "user"], { router })).stdout, /^USER +REQ.*\n<none> +12/);
    const { stdout } = await runCli(["usage", "--by", "user", "-o", "json"], { router });
    assert.deepEqual(JSON.parse(stdout), { items: [{ ...sum, key: "" }] });
  });

  it("says when there was nothing, and refuses a time or a word that can't be", async () => {
    await using router = await FakeRouter.start();
    const { code, stderr } = await runCli(["usage", "--since", "90m"], { router });
    assert.deepEqual([code, stderr], [0, "No requests to a model API in the last 90m.\n"]);
    assert.equal((await runCli(["usage", "--since", "yesterday"], { router })).code, 1);
    assert.equal((await runCli(["usage", "--by", "colour"], { router })).code, 2);
  });
});
