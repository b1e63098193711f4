import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { plantRepository } from "../testing.ts";
import { compareGenerated } from "./generated.ts";

const wanted = new Map([["docs/reference/a.md", "new\n"]]);
const folders = { "crds/generated/.keep": "" };

describe("generated files", () => {
  it("pass when they are what the generators say", () => {
    using planted = plantRepository({ ...folders, "docs/reference/a.md": "new\n" });
    assert.deepEqual(compareGenerated(planted.root, wanted), []);
  });

  it("are caught when they are old, missing, or left over", () => {
    using old = plantRepository({ ...folders, "docs/reference/a.md": "old\n" });
    assert.match(compareGenerated(old.root, wanted).join(), /^docs\/reference\/a\.md: is not current/);
    using left = plantRepository({ ...folders, "docs/reference/b.md": "" });
    assert.deepEqual(compareGenerated(left.root, wanted), [
      "docs/reference/a.md: is missing; run `npm run generate`",
      "docs/reference/b.md: nothing generates it; remove it",
    ]);
  });
});
