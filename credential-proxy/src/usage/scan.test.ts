import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { costMicros } from "./prices.ts";
import { type Counts, createUsageScan, noCounts } from "./scan.ts";

const events = (...data: readonly object[]): string =>
  data.map((one) => `event: x\ndata: ${JSON.stringify(one)}\n\n`).join("");

const anthropicStream = events(
  {
    type: "message_start",
    message: {
      id: "m",
      model: "claude-sonnet-4-5-20250929",
      usage: { input_tokens: 10, cache_read_input_tokens: 200, cache_creation_input_tokens: 30, output_tokens: 1 },
    },
  },
  { type: "content_block_delta", delta: { type: "text_delta", text: 'é "usage":{"output_tokens":9999}' } },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 57 } },
  { type: "message_stop" },
);

const openaiUsage = {
  input_tokens: 110,
  input_tokens_details: { cached_tokens: 100 },
  output_tokens: 20,
  total_tokens: 130,
};
const responsesStream = events(
  { type: "response.created", response: { model: "gpt-5.1-codex", usage: null } },
  { type: "response.output_text.delta", delta: "x" },
  {
    type: "response.completed",
    response: { output: [{ text: "y".repeat(200_000) }], model: "gpt-5.1-codex", usage: openaiUsage },
  },
);

const chatStream = `${events(
  { object: "chat.completion.chunk", model: "gpt-4o-mini", choices: [{ delta: { content: "x" } }], usage: null },
  {
    object: "chat.completion.chunk",
    model: "gpt-4o-mini",
    choices: [],
    usage: { prompt_tokens: 12, completion_tokens: 3 },
  },
)}data: [DONE]\n\n`;

const read = (contentType: string, text: string, size = text.length): Counts => {
  const scan = createUsageScan(contentType);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) scan?.push(bytes.subarray(at, at + size));
  return scan?.counts() ?? noCounts;
};

const stream = "text/event-stream; charset=utf-8";
const sonnet = {
  model: "claude-sonnet-4-5-20250929",
  inputTokens: 10,
  outputTokens: 57,
  cacheReadTokens: 200,
  cacheWriteTokens: 30,
};
const codex = { model: "gpt-5.1-codex", inputTokens: 10, outputTokens: 20, cacheReadTokens: 100, cacheWriteTokens: 0 };

describe("the usage in an answer", () => {
  it("is read from streams of all three APIs", () => {
    assert.deepEqual(read(stream, anthropicStream), sonnet);
    assert.deepEqual(read(stream, responsesStream), codex);
    assert.deepEqual(read(stream, chatStream), { ...noCounts, model: "gpt-4o-mini", inputTokens: 12, outputTokens: 3 });
  });

  it("is the same wherever the stream is split", () => {
    for (let size = 1; size < anthropicStream.length; size++)
      assert.deepEqual(read(stream, anthropicStream, size), sonnet);
    for (const size of [1, 7, 4_096]) assert.deepEqual(read(stream, responsesStream, size), codex);
    assert.deepEqual(read(stream, anthropicStream.replaceAll("\n", "\r\n"), 3), sonnet);
  });

  it("is read from whole answers of all three APIs, however long", () => {
    const message = {
      type: "message",
      content: [{ text: "x".repeat(300_000) }],
      model: "m",
      usage: { input_tokens: 1, output_tokens: 2 },
    };
    const json = (value: unknown) => read("application/json", JSON.stringify(value, null, 2), 1_000);
    assert.deepEqual(json(message), { ...noCounts, model: "m", inputTokens: 1, outputTokens: 2 });
    assert.deepEqual(json({ object: "response", model: "gpt-5.1-codex", usage: openaiUsage }), codex);
    const chat = {
      object: "chat.completion",
      model: "m",
      usage: { prompt_tokens: 5, prompt_tokens_details: { cached_tokens: 4 }, completion_tokens: 6 },
    };
    assert.deepEqual(json(chat), { ...noCounts, model: "m", inputTokens: 1, cacheReadTokens: 4, outputTokens: 6 });
    assert.deepEqual(json({ type: "error", error: { type: "overloaded_error" } }), noCounts);
    assert.deepEqual(json({ usage: { input_tokens: 5 } }), noCounts, "an answer of no known type");
  });

  it("counts as far as a stream came that broke off", () => {
    const cut = anthropicStream.slice(0, anthropicStream.indexOf("message_delta"));
    assert.deepEqual(read(stream, cut), { ...sonnet, outputTokens: 1 });
  });

  it("stays a whole number that can be summed up, whatever the answer says", () => {
    const huge = [1e308, 2 ** 60, Number.MAX_SAFE_INTEGER, -5, 0.5].map((number) => ({
      type: "message",
      model: "claude-opus-4-1",
      usage: { input_tokens: number, output_tokens: number, cache_creation_input_tokens: number },
    }));
    for (const answer of huge) {
      const counts = read("application/json", JSON.stringify(answer));
      const numbers = [counts.inputTokens, counts.outputTokens, counts.cacheWriteTokens, costMicros(counts)];
      assert.ok(
        numbers.every((number = -1) => Number.isSafeInteger(number) && number >= 0 && number < 1e12),
        numbers.join(),
      );
    }
  });

  it("costs what the table says, and nothing that the table does not know", () => {
    assert.equal(costMicros(sonnet), Math.round(10 * 3 + 57 * 15 + 200 * 0.3 + 30 * 3.75));
    assert.equal(costMicros(codex), Math.round(10 * 1.25 + 20 * 10 + 100 * 0.125));
    for (const model of ["unknown", "gpt-5-ultra", "constructor", "claude-sonnet-4-5-x", ""]) {
      assert.equal(costMicros({ ...codex, model }), undefined, model);
    }
  });
});
