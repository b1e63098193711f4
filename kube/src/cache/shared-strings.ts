import { isRecord } from "../object.ts";
import { sharedStringDepth, sharedStringLength, sharedStrings } from "./limits.ts";

/** Up to this length the JSON parser of V8 shares equal strings by itself. */
const sharedByParserLength = 10;

/**
 * Lets equal strings of different objects be one: API versions, owners, labels and images are most of what a thousand
 * objects of one kind have in common.
 */
export class SharedStrings {
  readonly #known = new Map<string, string>();

  get size(): number {
    return this.#known.size;
  }

  /** Replaces the strings in a freshly parsed value, in place: a copy would cost the shape that the parser has given it. */
  shareIn(value: unknown, depth = sharedStringDepth): void {
    if (depth === 0) return;
    if (Array.isArray(value)) this.#shareInArray(value, depth);
    else if (isRecord(value)) this.#shareInRecord(value, depth);
  }

  #shareInArray(array: unknown[], depth: number): void {
    for (const [index, item] of array.entries()) {
      if (typeof item === "string") array[index] = this.#shared(item);
      else this.shareIn(item, depth - 1);
    }
  }

  #shareInRecord(record: Record<string, unknown>, depth: number): void {
    for (const field in record) {
      const item = record[field];
      if (typeof item === "string") record[field] = this.#shared(item);
      else this.shareIn(item, depth - 1);
    }
  }

  #shared(text: string): string {
    if (text.length <= sharedByParserLength || text.length > sharedStringLength) return text;
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    // Names and UIDs never come back, so what does is simply learnt anew.
    if (this.#known.size >= sharedStrings) this.#known.clear();
    this.#known.set(text, text);
    return text;
  }
}
