import { createHash, randomUUID } from "node:crypto";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { z } from "zod";
import type { Entry } from "./entries.ts";
import { tarOf } from "./tar.ts";

/** Beyond it, time doubles for a few parts in a thousand. */
const compressionLevel = 6;

/** Something with a version that is in an image, for its bill of materials. */
const packageSchema = z.object({
  /** A package URL: names kind, name and version. */
  purl: z.string(),
  name: z.string(),
  version: z.string(),
});
export type Package = z.output<typeof packageSchema>;

const layerSchema = z.object({
  /** SHA-256 of the compressed and of the plain archive, in hexadecimal digits. */
  digest: z.string(),
  plainDigest: z.string(),
  bytes: z.number(),
  plainBytes: z.number(),
  packages: z.array(packageSchema),
});
export type Layer = z.output<typeof layerSchema>;

/** How a layer is made. */
export interface Recipe {
  /** What it is, for people. */
  readonly title: string;
  /** All that its content depends on: the same key, the same bytes. */
  readonly key: readonly string[];
  make(): Promise<{ readonly entries: readonly Entry[]; readonly packages: readonly Package[] }>;
}

/** Layers by their digest, and which of them a recipe has made. */
export class LayerStore {
  readonly #folder: string;
  readonly #salt: string;

  /** @param salt with another one, nothing is known */
  constructor(folder: string, salt: string) {
    this.#folder = folder;
    this.#salt = salt;
  }

  pathOf({ digest }: Pick<Layer, "digest">): string {
    return join(this.#folder, `${digest}.tar.gz`);
  }

  /** @param onMake is told when it is not there yet */
  async get({ title, key, make }: Recipe, onMake: (title: string) => void): Promise<Layer> {
    await mkdir(this.#folder, { recursive: true });
    const note = join(this.#folder, `${sha256(JSON.stringify([this.#salt, title, ...key]))}.json`);
    const known = await readNote(note);
    if (known && existsSync(this.pathOf(known))) return known;
    onMake(title);
    const { entries, packages } = await make();
    const layer = { ...(await this.#write(entries)), packages: [...packages] };
    await replaceFile(note, JSON.stringify(layer));
    return layer;
  }

  async #write(entries: readonly Entry[]): Promise<Omit<Layer, "packages">> {
    const draft = join(this.#folder, `.${randomUUID()}`);
    const [plain, packed] = [new Measure(), new Measure()];
    try {
      await pipeline(
        tarOf(entries),
        (chunks) => plain.pass(chunks),
        createGzip({ level: compressionLevel }),
        (chunks) => packed.pass(chunks),
        createWriteStream(draft),
      );
      const layer = {
        ...{ digest: packed.digest(), bytes: packed.bytes },
        ...{ plainDigest: plain.digest(), plainBytes: plain.bytes },
      };
      await rename(draft, this.pathOf(layer));
      return layer;
    } finally {
      await rm(draft, { force: true });
    }
  }
}

class Measure {
  bytes = 0;
  readonly #hash = createHash("sha256");

  async *pass(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.bytes += chunk.byteLength;
      this.#hash.update(chunk);
      yield chunk;
    }
  }

  digest(): string {
    return this.#hash.digest("hex");
  }
}

export const sha256 = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");

/** Undefined also for a note of an older version of this program. */
async function readNote(path: string): Promise<Layer | undefined> {
  if (!existsSync(path)) return undefined;
  return layerSchema.safeParse(JSON.parse(await readFile(path, "utf8"))).data;
}

async function replaceFile(path: string, content: string): Promise<void> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, content);
  await rename(draft, path);
}
