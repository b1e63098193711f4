import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { harnessNames } from "../harnesses/harness.ts";
import { createProvider } from "./registry.ts";
import { bareDeps } from "./testing/bare-deps.ts";

const deps = bareDeps(tmpdir());

describe("the registry of providers", () => {
  it("makes the demo anywhere, and names what there is for an unknown one", async () => {
    const place = { sandbox: "none", harnessesDir: undefined } as const;
    assert.equal((await createProvider("demo", deps, place)).name, "demo");
    for (const name of ["gpt", "constructor", ""]) {
      await assert.rejects(createProvider(name, deps, place), {
        code: "providerMissing",
        message: /; there are: demo, claude, codex, opencode$/,
      });
    }
  });

  for (const name of harnessNames) {
    it(`does not start ${name} without a sandbox, and names the cures`, async () => {
      await assert.rejects(createProvider(name, deps, { sandbox: "none", harnessesDir: tmpdir() }), {
        code: "sandboxMissing",
        message: /bubblewrap.*--unsandboxed/,
      });
    });

    it(`names the line that installs ${name}`, async () => {
      const empty = await mkdtemp(join(tmpdir(), "copepod-harnesses-"));
      try {
        for (const harnessesDir of [empty, undefined]) {
          await assert.rejects(createProvider(name, deps, { sandbox: "waived", harnessesDir }), {
            code: "providerMissing",
            message: new RegExp(`\`copepod provider add ${name}\``),
          });
        }
      } finally {
        await rm(empty, { recursive: true });
      }
    });
  }
});
