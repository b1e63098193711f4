const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openObject = 0x7b;
const closeObject = 0x7d;
const openArray = 0x5b;
const closeArray = 0x5d;
const maxSpace = 0x20;

/** Deeper objects are passed over. */
const maxDepth = 4;
/** Longer keys and texts are cut; none that counts is. */
const maxTextLength = 256;

export type FieldValue = string | number;

/**
 * Picks a few fields out of JSON of any length, as its bytes come, and keeps nothing else. What stands inside of arrays
 * or of texts is never taken for a field.
 */
export class JsonFields {
  /** By path, such as `usage.input_tokens`. */
  readonly values = new Map<string, FieldValue>();
  readonly #wanted: ReadonlySet<string>;
  /** Paths of the open objects, each with a dot at its end. */
  readonly #prefixes: string[] = [];
  #path = "";
  #isKey = false;
  #passedOver = 0;
  #inText = false;
  #isEscaped = false;
  #keepsText = false;
  #text = "";

  constructor(wanted: ReadonlySet<string>) {
    this.#wanted = wanted;
  }

  reset(): void {
    this.values.clear();
    this.#prefixes.length = 0;
    this.#path = "";
    this.#isKey = false;
    this.#passedOver = 0;
    this.#inText = false;
    this.#isEscaped = false;
    this.#text = "";
  }

  push(bytes: Uint8Array, from: number, to: number): void {
    let at = from;
    while (at < to) {
      if (this.#inText) at = this.#readText(bytes, at, to);
      else this.#readStructure(bytes[at++] ?? 0);
    }
  }

  /** @returns where to go on */
  #readText(bytes: Uint8Array, from: number, to: number): number {
    const end = this.#findEnd(bytes, from, to);
    if (this.#keepsText) this.#keep(bytes, from, end);
    if (end === to) return to;
    this.#inText = false;
    this.#endText();
    return end + 1;
  }

  /** @returns where the quote is that ends the text, or `to` */
  #findEnd(bytes: Uint8Array, from: number, to: number): number {
    for (let at = from; at < to; at++) {
      if (this.#isEscaped) this.#isEscaped = false;
      else if (bytes[at] === backslash) this.#isEscaped = true;
      else if (bytes[at] === quote) return at;
    }
    return to;
  }

  #keep(bytes: Uint8Array, from: number, to: number): void {
    const end = Math.min(to, from + maxTextLength - this.#text.length);
    for (let at = from; at < end; at++) this.#text += String.fromCharCode(bytes[at] ?? 0);
  }

  #endText(): void {
    if (!this.#keepsText) return;
    if (this.#isKey) this.#path = `${this.#prefixes.at(-1) ?? ""}${this.#text}`;
    else this.values.set(this.#path, this.#text);
    this.#text = "";
  }

  #readStructure(byte: number): void {
    if (byte === quote) this.#beginText();
    else if (byte === openObject || byte === openArray) this.#open(byte === openArray);
    else if (byte === closeObject || byte === closeArray) this.#close();
    else if (this.#passedOver === 0) this.#readBetween(byte);
  }

  #beginText(): void {
    this.#inText = true;
    this.#text = "";
    this.#keepsText = this.#passedOver === 0 && (this.#isKey || this.#wanted.has(this.#path));
  }

  #open(isArray: boolean): void {
    if (this.#passedOver > 0 || isArray || this.#prefixes.length === maxDepth) {
      this.#passedOver++;
      return;
    }
    this.#prefixes.push(this.#prefixes.length === 0 ? "" : `${this.#path}.`);
    this.#isKey = true;
  }

  #close(): void {
    if (this.#passedOver > 0) {
      this.#passedOver--;
      return;
    }
    this.#endNumber();
    this.#prefixes.pop();
    this.#isKey = false;
    this.#path = "";
  }

  #readBetween(byte: number): void {
    if (byte === colon) {
      this.#isKey = false;
      this.#text = "";
    } else if (byte === comma) {
      this.#endNumber();
      this.#isKey = true;
      this.#path = "";
    } else if (byte > maxSpace && !this.#isKey && this.#text.length < maxTextLength && this.#wanted.has(this.#path)) {
      this.#text += String.fromCharCode(byte);
    }
  }

  #endNumber(): void {
    if (this.#isKey || this.#text === "") return;
    const value = Number(this.#text);
    if (Number.isFinite(value)) this.values.set(this.#path, value);
    this.#text = "";
  }
}
