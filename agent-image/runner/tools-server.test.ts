import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { CopepodError } from "@copepod/core/errors";
import { pino } from "pino";
import { startToolsServer, type ToolsServer } from "./tools-server.ts";

interface Answer {
  readonly status: number;
  readonly result: Record<string, unknown>;
}

describe("the server of Copepod's tools", () => {
  const sent: unknown[] = [];
  let tools: ToolsServer;

  before(async () => {
    const sendMessage = async (to: string, text: string) => {
      if (to === "nobody") throw new CopepodError("destinationUnknown", "there is no destination nobody");
      if (to === "fault") throw new Error("path of a file of ours");
      return { seq: sent.push({ to, text }) };
    };
    const sendFile = async (to: string, path: string, text: string | undefined) => ({
      seq: sent.push({ to, path, text }),
    });
    tools = await startToolsServer({ sendMessage, sendFile }, pino({ level: "silent" }));
  });

  after(() => tools[Symbol.asyncDispose]());

  async function post(body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const { server } = tools;
    assert.equal(server.kind, "http");
    const response = await fetch(server.kind === "http" ? server.url : "", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...(server.kind === "http" ? server.headers : {}),
        ...headers,
      },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    const json = /^data: (.*)$/m.exec(text)?.[1] ?? text;
    return { status: response.status, result: json.startsWith("{") ? (JSON.parse(json).result ?? {}) : {} };
  }

  const call = (name: string, args: object) =>
    post({ jsonrpc: "2.0", id: 2, method: "tools/call", params: { name, arguments: args } });

  it("greets a harness of the year before, and lists its tools", async () => {
    const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } };
    const hello = await post({ jsonrpc: "2.0", id: 1, method: "initialize", params });
    assert.equal(hello.result.protocolVersion, "2025-06-18");
    const { result } = await post({ jsonrpc: "2.0", id: 2, method: "tools/list" });
    assert.match(JSON.stringify(result), /"send_message".*"send_file"/);
  });

  it("sends messages and files, and tells their numbers", async () => {
    const first = await call("send_message", { to: "family", text: "half done" });
    assert.match(JSON.stringify(first.result), /Sent as message 1\./);
    await call("send_file", { to: "family", path: "a.txt" });
    assert.deepEqual(sent, [
      { to: "family", text: "half done" },
      { to: "family", path: "a.txt", text: undefined },
    ]);
  });

  it("tells the model what it did wrong, and nothing of our faults", async () => {
    const unknown = await call("send_message", { to: "nobody", text: "hi" });
    assert.equal(unknown.result.isError, true);
    assert.match(JSON.stringify(unknown.result), /there is no destination nobody/);
    const fault = await call("send_message", { to: "fault", text: "hi" });
    assert.match(JSON.stringify(fault.result), /a fault inside Copepod/);
    assert.doesNotMatch(JSON.stringify(fault.result), /path of a file/);
    for (const wrong of [{ to: "family" }, { to: "", text: "hi" }, { to: "family", text: "" }]) {
      assert.doesNotMatch(JSON.stringify((await call("send_message", wrong)).result), /Sent as/);
    }
  });

  it("is there for nobody who does not have its token, for no page, and for no flood", async () => {
    const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
    assert.equal((await post(list, { Authorization: "Bearer guessed" })).status, 404);
    assert.equal((await post(list, { Origin: "http://localhost" })).status, 404);
    assert.equal((await call("send_message", { to: "family", text: "x".repeat(1_100_000) })).status, 413);
  });
});
