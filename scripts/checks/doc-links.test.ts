import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { plantRepository } from "../testing.ts";
import { checkLinks } from "./doc-links.ts";

const pages = { "docs/b.md": "# B page\n\n## What's `new`, then?\n", "core/src/a.ts": "" };

function check(page: string): string[] {
  using planted = plantRepository({ ...pages, "docs/a.md": page });
  return checkLinks(planted.root);
}

describe("links and paths", () => {
  it("pass when they lead somewhere", () => {
    const page = [
      "# A",
      "[b](b.md), [part](b.md#whats-new-then), [here](#a), [code](../core/src/a.ts), [web](https://example.org/x.md)",
      "`core/src/a.ts`, `core/`, `b.md`, `docs/<name>.md`, `.copepod/resources/x.yaml`, `a/b`, `text/plain`",
      "`[no](link.md)`",
      "```text",
      "[example](nowhere.md) `core/gone.ts`",
      "```",
      "<!-- [hidden](nowhere.md) -->",
    ].join("\n");
    assert.deepEqual(check(page), []);
  });

  const planted: Record<string, [page: string, problem: string]> = {
    "a link to no file": ["\n[x](gone.md)", "docs/a.md:2: link to gone.md: no such file"],
    "a link to no heading": ["[x](b.md#gone)", "docs/a.md:1: link to b.md#gone: no such heading"],
    "a link to no heading here": ["# A\n[x](#gone)", "docs/a.md:2: link to #gone: no such heading"],
    "a path in a folder that exists": ["see `core/src/gone.ts`", "docs/a.md:1: `core/src/gone.ts` does not exist"],
    "a source file in a folder that is gone": ["see `kube/src/a.ts`", "docs/a.md:1: `kube/src/a.ts` does not exist"],
    "a folder that is gone": ["see `core/lib/`", "docs/a.md:1: `core/lib/` does not exist"],
  };
  for (const [what, [page, problem]] of Object.entries(planted)) {
    it(`are caught: ${what}`, () => assert.deepEqual(check(page), [problem]));
  }
});
