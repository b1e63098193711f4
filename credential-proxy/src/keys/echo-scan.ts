/** Shorter keys are words that an answer may hold by chance. */
const minSecretLength = 12;

/** The spellings in which an answer could hold the key. */
export interface Needles {
  readonly spellings: readonly Buffer[];
  /** Whether a text, such as the value of a header, holds the key. */
  isIn(text: string): boolean;
}

export function createNeedles(secret: string): Needles {
  const texts = secret.length < minSecretLength ? [] : [...new Set(spell(secret))];
  return {
    spellings: texts.map((text) => Buffer.from(text, "latin1")),
    isIn: (text) => texts.some((spelling) => text.includes(spelling)),
  };
}

function spell(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  return [
    secret,
    encodeURIComponent(secret),
    json,
    json.replaceAll("/", "\\/"),
    ...[0, 1, 2].flatMap((shift) => base64At(secret, shift)),
  ];
}

/** Base64 of the key inside a longer text: what stands in front of it decides how its bytes are cut. */
function base64At(secret: string, shift: number): string[] {
  const bytes = Buffer.concat([Buffer.alloc(shift), Buffer.from(secret, "latin1")]);
  // The characters at both edges hold bits of the neighbours too.
  const from = Math.ceil((shift * 8) / 6);
  const to = Math.floor((bytes.length * 8) / 6);
  return [bytes.toString("base64").slice(from, to), bytes.toString("base64url").slice(from, to)];
}

/**
 * Finds the key in a stream, also across the edges of its chunks. Holds back only what could be the beginning of the key.
 */
export class EchoScan {
  readonly #spellings: readonly Buffer[];
  #held: Buffer | undefined;

  constructor({ spellings }: Needles) {
    this.#spellings = spellings;
  }

  /** @returns what may go on; undefined = the key is in it. */
  push(chunk: Buffer): Buffer | undefined {
    const all = this.#held ? Buffer.concat([this.#held, chunk]) : chunk;
    for (const spelling of this.#spellings) if (all.includes(spelling)) return undefined;
    const cut = all.length - this.#suspectLength(all);
    // A copy: the slice would keep the whole chunk alive.
    this.#held = cut === all.length ? undefined : Buffer.from(all.subarray(cut));
    return cut === all.length ? all : all.subarray(0, cut);
  }

  /** What was held back and did not become the key. */
  end(): Buffer | undefined {
    const held = this.#held;
    this.#held = undefined;
    return held;
  }

  /** Length of the longest end of the bytes that a spelling begins with. */
  #suspectLength(bytes: Buffer): number {
    let longest = 0;
    for (const spelling of this.#spellings) longest = Math.max(longest, overlap(bytes, spelling));
    return longest;
  }
}

function overlap(bytes: Buffer, spelling: Buffer): number {
  const first = spelling[0] ?? 0;
  let at = bytes.indexOf(first, Math.max(0, bytes.length - spelling.length + 1));
  while (at >= 0) {
    const length = bytes.length - at;
    if (bytes.compare(spelling, 0, length, at) === 0) return length;
    at = bytes.indexOf(first, at + 1);
  }
  return 0;
}
