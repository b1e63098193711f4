import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { type FakeModel, startFakeModel } from "./server.ts";

const key = "the-real-key";

interface Dialect {
  readonly path: string;
  readonly auth: Readonly<Record<string, string>>;
  readonly tool: { readonly offer: object; readonly name: string };
  readonly body: (said: readonly object[], tool: object) => object;
  readonly user: (text: string) => object;
  /** The items of a reply that was not streamed, as they stand in the next request. */
  readonly replay: (reply: unknown) => readonly object[];
  readonly output: (reply: unknown, text: string) => object;
}

const get = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>(
    (at, step) => (typeof at === "object" && at !== null ? Reflect.get(at, step) : undefined),
    value,
  );

const dialects: Readonly<Record<string, Dialect>> = {
  anthropic: {
    path: "/v1/messages?beta=true",
    auth: { "x-api-key": key },
    tool: { offer: { name: "Bash", input_schema: {} }, name: "Bash" },
    body: (messages, tool) => ({ system: "be brief", messages, tools: [tool] }),
    user: (text) => ({ role: "user", content: [{ type: "text", text }] }),
    replay: (reply) => [{ role: "assistant", content: get(reply, "content") }],
    output: (reply, text) => ({
      role: "user",
      content: [{ type: "tool_result", tool_use_id: get(reply, "content", 0, "id"), content: text }],
    }),
  },
  responses: {
    path: "/v1/responses",
    auth: { authorization: `Bearer ${key}` },
    tool: { offer: { type: "function", name: "exec_command" }, name: "exec_command" },
    body: (input, tool) => ({ instructions: "be brief", input, tools: [tool] }),
    user: (text) => ({ type: "message", role: "user", content: [{ type: "input_text", text }] }),
    replay: (reply) => [Object(get(reply, "output", 0))],
    output: (reply, output) => ({ type: "function_call_output", call_id: get(reply, "output", 0, "call_id"), output }),
  },
  chat: {
    path: "/v1/chat/completions",
    auth: { authorization: `Bearer ${key}` },
    tool: { offer: { type: "function", function: { name: "bash" } }, name: "bash" },
    body: (messages, tool) => ({ messages: [{ role: "system", content: "be brief" }, ...messages], tools: [tool] }),
    user: (content) => ({ role: "user", content }),
    replay: (reply) => [Object(get(reply, "choices", 0, "message"))],
    output: (reply, content) => ({
      role: "tool",
      tool_call_id: get(reply, "choices", 0, "message", "tool_calls", 0, "id"),
      content,
    }),
  },
};

const said = (text: string, id = 1) =>
  `<context timezone="UTC" />\n<message id="${id}" from="family" sender="Ann" time="now">${text}</message>`;

async function post(model: FakeModel, { path, auth }: Pick<Dialect, "path" | "auth">, body: object): Promise<Response> {
  return await fetch(model.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...auth },
    body: JSON.stringify({ model: "some-model", ...body }),
  });
}

for (const [name, dialect] of Object.entries(dialects)) {
  const { body, user, tool, replay, output } = dialect;

  describe(`the fake model's ${name} API`, () => {
    it("calls a tool, answers with its output, and starts afresh with the next prompt", async () => {
      await using model = await startFakeModel({ key });
      const ask = async (items: readonly object[]) =>
        await (await post(model, dialect, body(items, tool.offer))).json();
      const items = [user(said("shell: echo hi"))];
      const called = await ask(items);
      assert.match(JSON.stringify(called), new RegExp(`"${tool.name}".*echo hi`));
      items.push(...replay(called), output(called, "hi there"));
      const answered = await ask(items);
      assert.match(JSON.stringify(answered), /<message to=\\"family\\">hi there<\/message>/);
      items.push(...replay(answered), user(said("history", 2)));
      assert.match(JSON.stringify(await ask(items)), /Earlier messages:\\n- shell: echo hi</);
    });

    it("streams an answer token by token", async () => {
      await using model = await startFakeModel({ key });
      const streamed = body([user(said("one two"))], tool.offer);
      const text = await (await post(model, dialect, { ...streamed, stream: true })).text();
      const tokens = ["<message", " to", "You", " said:", " one", " two"];
      assert.ok(tokens.every((token) => text.includes(token)));
      assert.doesNotMatch(text.split("data: ").slice(2, 6).join(), /one two/);
      assert.ok(model.journal.every(({ stream, model: asked }) => stream && asked === "some-model"));
    });

    it("fails in the API's own shape, with the status that the script asks for", async () => {
      await using model = await startFakeModel({ key });
      const response = await post(model, dialect, body([user(said("fail: 429"))], tool.offer));
      assert.equal(response.status, 429);
      assert.match(JSON.stringify(await response.json()), /"error":\{.*"message":"the script asked for status 429"/);
    });

    it("refuses every key but its own, also the old one after a change", async () => {
      await using model = await startFakeModel({ key });
      const hello = body([user(said("hello"))], tool.offer);
      for (const auth of [{}, { "x-api-key": "wrong" }, { ...dialect.auth, authorization: "Bearer wrong" }]) {
        assert.equal((await post(model, { ...dialect, auth }, hello)).status, 401);
      }
      assert.deepEqual(model.calls, []);
      assert.equal((await post(model, dialect, hello)).status, 200);
      model.rotate("another");
      assert.equal((await post(model, dialect, hello)).status, 401);
    });
  });
}

describe("the fake model", () => {
  it("refuses an upgrade and counts it", async () => {
    await using model = await startFakeModel({ key });
    const socket = connect(Number(new URL(model.url).port), "127.0.0.1");
    socket.write("GET /v1/responses HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
    const [answer] = await once(socket, "data");
    assert.match(String(answer), /^HTTP\/1\.1 426 /);
    assert.equal(model.upgrades, 1);
  });

  it("keeps a request waiting while it is held, and notes when its client goes away", async () => {
    await using model = await startFakeModel({ key });
    const release = model.hold();
    const { anthropic } = dialects;
    assert.ok(anthropic);
    const hello = anthropic.body([anthropic.user(said("hello"))], anthropic.tool.offer);
    const held = post(model, anthropic, hello);
    const controller = new AbortController();
    const gone = fetch(`${model.url}/v1/messages`, { method: "POST", signal: controller.signal, body: "{}" });
    controller.abort();
    await assert.rejects(gone);
    release();
    assert.equal((await held).status, 200);
    assert.ok((model.calls[0]?.firstTokenAt ?? 0) > 0);
  });
});
