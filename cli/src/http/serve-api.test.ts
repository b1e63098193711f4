import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { endpoint } from "@copepod/core/endpoint";
import { CopepodError } from "@copepod/core/errors";
import { Agent, request } from "undici";
import { z } from "zod";
import { serveApi } from "./serve-api.ts";

const nothing = z.object({});
const call = (path: string) => endpoint({ method: "GET", path, summary: "A test.", input: nothing, output: nothing });
const api = { breaks: call("/breaks"), refuses: call("/refuses") };

describe("an API on a socket", () => {
  it("hands a fault to its owner once, and a refusal to the caller only", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "cpa-"));
    t.after(() => rm(folder, { recursive: true }));
    const socketPath = join(folder, "api.sock");
    const faults: unknown[] = [];
    const handlers = {
      breaks: () => Promise.reject(new Error("a secret detail")),
      refuses: () => Promise.reject(new CopepodError("notFound", "no such thing")),
    };
    const onFault = (error: unknown, what: string) => faults.push([what, String(error)]);
    await using _server = await serveApi(api, handlers, { socketPath, onFault });
    const dispatcher = new Agent({ connect: { socketPath } });
    const get = async (path: string) => (await request(`http://socket${path}`, { dispatcher })).body.json();
    assert.deepEqual(await get("/breaks"), { error: { code: "internal", message: "a fault inside Copepod" } });
    assert.deepEqual(await get("/refuses"), { error: { code: "notFound", message: "no such thing" } });
    assert.deepEqual(faults, [["GET /breaks", "Error: a secret detail"]]);
    await dispatcher.close();
  });
});
