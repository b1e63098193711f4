import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { imageNames, plans } from "./catalogue.ts";

const dockerfile = await readFile(join(import.meta.dirname, "Dockerfile"), "utf8");

describe("the Dockerfile", () => {
  for (const name of imageNames) {
    it(`makes ${name} as it is made without an engine`, () => {
      const { user, entrypoint, env } = plans[name];
      const stage = [
        `FROM source AS files-of-${name}`,
        `RUN node images/main.ts unpack ${name} /image --unlocked`,
        `FROM scratch AS ${name}`,
        `COPY --from=files-of-${name} /image/ /`,
        ...Object.entries(env).map(([variable, value]) => `ENV ${variable}=${value}`),
        `USER ${user}:${user}`,
        "WORKDIR /",
        `ENTRYPOINT ${JSON.stringify(entrypoint).replaceAll(",", ", ")}`,
        "",
      ];
      assert.ok(dockerfile.includes(stage.join("\n")), `it lacks:\n${stage.join("\n")}`);
    });
  }
});
