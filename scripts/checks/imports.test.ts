import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { manifests, plantRepository } from "../testing.ts";
import { checkImports } from "./imports.ts";

const workspaces = manifests("core", "crds", "router", "cli");

function check(file: string, source: string): string[] {
  using planted = plantRepository({ ...workspaces, [file]: source });
  return checkImports(planted.root);
}

describe("the import table", () => {
  it("allows what it lists, files beside each other, and packages from elsewhere", () => {
    const source = [
      'import { a } from "@copepod/core/errors";',
      'import type { B } from "@copepod/crds/wiring";',
      'import { c } from "./c.ts";',
      'import fastify from "fastify";',
      'import { join } from "node:path";',
    ].join("\n");
    assert.deepEqual(check("router/src/a.ts", source), []);
    assert.deepEqual(check("cli/src/a.ts", 'import { a } from "@copepod/router/main";\n'), []);
  });

  const planted: Record<string, [file: string, source: string, problem: RegExp]> = {
    "a program that imports a program": [
      "router/src/a.ts",
      'import "@copepod/cli/main";\n',
      /^router\/src\/a\.ts:1: router may not import cli$/,
    ],
    "a type from where it may not come": [
      "crds/src/a.ts",
      'const x = 1;\nimport type {\n  A,\n} from "@copepod/router/a";\n',
      /^crds\/src\/a\.ts:2: crds may not import router$/,
    ],
    "an import that is made late": [
      "core/src/a.ts",
      'const a = await import("@copepod/crds/a");\n',
      /core may not import crds/,
    ],
    "something that is passed on": [
      "core/src/a.ts",
      'export { a } from "@copepod/crds/a";\n',
      /core may not import crds/,
    ],
    "a relative path into another workspace": [
      "router/src/a.ts",
      'import { b } from "../../core/src/b.ts";\n',
      /leaves the workspace router/,
    ],
    "a package name for the own workspace": [
      "router/src/a.ts",
      'import { b } from "@copepod/router/b";\n',
      /by a relative path/,
    ],
    "I/O in core": ["core/src/a.ts", 'import { readFileSync } from "node:fs";\n', /core does no I\/O/],
    "a file that belongs to nobody": ["lost/a.ts", "", /^lost\/a\.ts: is in no workspace$/],
  };
  for (const [what, [file, source, problem]] of Object.entries(planted)) {
    it(`catches ${what}`, () => {
      const problems = check(file, source);
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? "", problem);
    });
  }

  it("catches a workspace that it does not list", () => {
    using repository = plantRepository(manifests("core", "gateway"));
    assert.match(checkImports(repository.root).join("\n"), /^gateway: the table .* does not say/);
  });
});
