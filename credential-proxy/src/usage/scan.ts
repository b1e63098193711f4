import { type FieldValue, JsonFields } from "./json-fields.ts";

/** What a request took, as far as its answer said. */
export interface Counts {
  /** "unknown" when the answer does not name it. */
  readonly model: string;
  /** Without what came from or went into a cache. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
}

export const noCounts: Counts = {
  model: "unknown",
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
};

export interface UsageScan {
  push(chunk: Buffer): void;
  /** May be asked at any time; an answer that has broken off counts as far as it came. */
  counts(): Counts;
}

/** Where `model` and `usage` stand, by the type of an event or of a whole answer. Nothing else is believed. */
const places: Readonly<Record<string, string>> = {
  message: "",
  message_start: "message.",
  message_delta: "",
  "response.created": "response.",
  "response.completed": "response.",
  "response.incomplete": "response.",
  "response.failed": "response.",
  response: "",
  "chat.completion": "",
  "chat.completion.chunk": "",
};

/** No request takes as many. Larger numbers would spoil every sum, and the cost is counted in whole numbers. */
const maxTokens = 1_000_000_000;

const inputFields = ["input_tokens", "prompt_tokens"];
const outputFields = ["output_tokens", "completion_tokens"];
/** Part of the input. */
const cachedFields = ["input_tokens_details.cached_tokens", "prompt_tokens_details.cached_tokens"];
const cacheReadField = "cache_read_input_tokens";
const cacheWriteField = "cache_creation_input_tokens";
const usageFields = [...inputFields, ...outputFields, ...cachedFields, cacheReadField, cacheWriteField];

const wanted: ReadonlySet<string> = new Set([
  "type",
  "object",
  ...[...new Set(Object.values(places))].flatMap((place) => [
    `${place}model`,
    ...usageFields.map((field) => `${place}usage.${field}`),
  ]),
]);

/** @returns undefined for answers that say nothing about usage, such as files */
export function createUsageScan(contentType: string): UsageScan | undefined {
  if (contentType.startsWith("text/event-stream")) return new EventScan();
  return contentType.startsWith("application/json") ? new DocumentScan() : undefined;
}

class DocumentScan implements UsageScan {
  readonly #fields = new JsonFields(wanted);

  push(chunk: Buffer): void {
    this.#fields.push(chunk, 0, chunk.length);
  }

  counts(): Counts {
    const tally = new Tally();
    tally.add(this.#fields.values);
    return tally.counts();
  }
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const dataPrefix = Buffer.from("data:");

/** Server-sent events. Of a line only its first bytes and a few fields are kept, however long it is. */
class EventScan implements UsageScan {
  readonly #fields = new JsonFields(wanted);
  readonly #tally = new Tally();
  /** Bytes of the present line that were compared with `data:`. */
  #matched = 0;
  #isOther = false;
  #lineLength = 0;

  push(chunk: Buffer): void {
    let from = 0;
    while (from < chunk.length) {
      const end = chunk.indexOf(lineFeed, from);
      const to = end < 0 ? chunk.length : end;
      this.#readLine(chunk, from, to);
      if (end >= 0) this.#endLine();
      from = to + 1;
    }
  }

  counts(): Counts {
    return this.#tally.counts();
  }

  #readLine(chunk: Buffer, from: number, to: number): void {
    this.#lineLength += to - from;
    if (to > from && chunk[to - 1] === carriageReturn) this.#lineLength--;
    let at = from;
    while (!this.#isOther && this.#matched < dataPrefix.length && at < to) {
      if (chunk[at++] === dataPrefix[this.#matched]) this.#matched++;
      else this.#isOther = true;
    }
    if (!this.#isOther && at < to) this.#fields.push(chunk, at, to);
  }

  #endLine(): void {
    if (this.#lineLength === 0) {
      this.#tally.add(this.#fields.values);
      this.#fields.reset();
    }
    this.#lineLength = 0;
    this.#matched = 0;
    this.#isOther = false;
  }
}

/** Usage is said several times and only grows: the most that was said counts. */
class Tally {
  #model = "unknown";
  readonly #most = new Map<string, number>();

  add(values: ReadonlyMap<string, FieldValue>): void {
    const place = places[String(values.get("type"))] ?? places[String(values.get("object"))];
    if (place === undefined) return;
    const model = values.get(`${place}model`);
    if (typeof model === "string" && model !== "") this.#model = model;
    for (const field of usageFields) {
      const value = values.get(`${place}usage.${field}`);
      if (typeof value !== "number" || !Number.isInteger(value)) continue;
      this.#most.set(field, Math.max(Math.min(value, maxTokens), this.#most.get(field) ?? 0));
    }
  }

  counts(): Counts {
    const cached = this.#mostOf(cachedFields);
    return {
      model: this.#model,
      inputTokens: Math.max(0, this.#mostOf(inputFields) - cached),
      outputTokens: this.#mostOf(outputFields),
      cacheReadTokens: Math.max(cached, this.#mostOf([cacheReadField])),
      cacheWriteTokens: this.#mostOf([cacheWriteField]),
    };
  }

  #mostOf(fields: readonly string[]): number {
    return Math.max(0, ...fields.map((field) => this.#most.get(field) ?? 0));
  }
}
