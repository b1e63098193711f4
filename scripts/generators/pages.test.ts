import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endpoint } from "@copepod/core/endpoint";
import { z } from "zod";
import { manifests, plantRepository } from "../testing.ts";
import { describeEndpoint } from "./api-page.ts";
import { cliPage, loadProgram } from "./cli-page.ts";
import { environmentPage } from "./environment-page.ts";
import { errorsPage } from "./errors-page.ts";
import { fillPackageGraph } from "./package-graph.ts";

describe("generated pages", () => {
  it("tell the fields of a call, nested ones too", () => {
    const lines = describeEndpoint("list", {
      ...endpoint({
        method: "GET",
        path: "/v1/things/:id",
        summary: "Things.",
        input: z.object({ id: z.string().max(9), limit: z.int().min(1).max(5).default(3) }),
        output: z.object({ items: z.array(z.object({ state: z.enum(["a", "b"]), note: z.string().optional() })) }),
      }),
    });
    const page = lines.join("\n");
    assert.match(page, /`GET \/v1\/things\/:id`: Things\./);
    assert.match(page, /\| `id` \| string \| at most 9 characters \|/);
    assert.match(page, /\| `limit` \| integer \| default `3`; 1 to 5 \|/);
    assert.match(page, /\| `items\[\]\.state` \| `a`, `b` \|/);
    assert.match(page, /\| `items\[\]\.note` \| string, optional \|/);
  });

  it("tell every error with its cure", () => {
    const page = errorsPage({ odd: { status: 418, meaning: "A | B.", cure: "Mend it." } });
    assert.match(page, /\| `odd` \| 418 \| A \\\| B\. \| Mend it\. \|/);
  });

  it("tell the variables of a program, and refuse one that says nothing of itself", () => {
    const schema = z.object({
      A: z.string().describe("Path."),
      B: z.enum(["0", "1"]).default("0").describe("Switch."),
    });
    const page = environmentPage([{ program: "router", file: "router/src/config.ts", schema }]);
    assert.match(page, /\| `A` \| required \| Path\. \|\n\| `B` \| `0` \| Switch\. One of `0`, `1`\. \|/);
    const silent = { program: "x", file: "x", schema: z.object({ SILENT: z.string() }) };
    assert.throws(() => environmentPage([silent]), /SILENT: the variable needs a description/);
  });

  it("tell commands, arguments and options", async () => {
    const page = cliPage(await loadProgram());
    assert.match(page, /## copepod get\n\n/);
    assert.match(page, /\| `--timeout <duration>` \| .*\(default: `5m`\) \|/);
  });

  it("draw which workspace imports which, from code and not from tests", () => {
    using planted = plantRepository({
      ...manifests("core", "router", "cli"),
      "router/src/a.ts": 'import { x } from "@copepod/core/x";\n',
      "router/src/a.test.ts": 'import { x } from "@copepod/cli/x";\n',
    });
    const markers = "<!-- package graph: begin -->\nold\n<!-- package graph: end -->\n";
    const page = fillPackageGraph(planted.root, `before\n${markers}after\n`);
    assert.deepEqual(page.match(/.*-->.*/g)?.slice(1, -1), ['  router["router"] --> core["core"]']);
    assert.doesNotMatch(page, /old/);
    assert.equal(fillPackageGraph(planted.root, page), page);
    assert.throws(() => fillPackageGraph(planted.root, "no markers"), /package graph: begin/);
  });
});
