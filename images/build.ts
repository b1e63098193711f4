import { existsSync, globSync, readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { CopepodError, codeOf } from "@copepod/core/errors";
import { type ImageName, plans } from "./catalogue.ts";
import { writeArchive } from "./image/archive.ts";
import { billOfMaterials } from "./image/bill-of-materials.ts";
import { describeImage } from "./image/manifest.ts";
import { type Layer, LayerStore, type Recipe, sha256 } from "./layers/layer.ts";
import { Debian, formatLock, type Locked, parseLock } from "./parts/debian.ts";
import { harnessRecipe } from "./parts/harness.ts";
import { nodeRecipe } from "./parts/node.ts";
import { programRecipe } from "./parts/programs.ts";
import { lockOf, type RootName, rootNames, rootRecipe } from "./parts/roots.ts";

export interface BuildOptions {
  /** Folder of the repository. */
  readonly repository: string;
  /** Keeps what was downloaded and made. */
  readonly cache: string;
  /** Host, and perhaps a path, with which images are named. */
  readonly registry: string;
  readonly version: string;
  /** Take the Debian packages of today where the mirror no longer has those of the lock. */
  readonly unlocked: boolean;
  /** Where harnesses are installed on this machine. */
  readonly harnesses: string;
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface Built {
  readonly name: ImageName;
  readonly reference: string;
  readonly digest: string;
  readonly archive: string;
  readonly billOfMaterials: string;
  /** As a registry has it, and unpacked. */
  readonly bytes: number;
  readonly plainBytes: number;
  readonly layers: readonly Layer[];
}

/** Of the code that makes layers: what it made when it was another is made anew. */
function sourceHash(): string {
  const files = globSync("{layers,parts}/*.ts", { cwd: import.meta.dirname }).filter(
    (name) => !name.endsWith(".test.ts"),
  );
  return sha256(
    files
      .sort()
      .map((name) => readFileSync(join(import.meta.dirname, name), "utf8"))
      .join("\0"),
  );
}

/** By the XDG base directory rules. May be removed at any time. */
export const cacheFolder = (env: NodeJS.ProcessEnv, home: string): string =>
  resolve(env.XDG_CACHE_HOME || join(home, ".cache"), "copepod", "images");

/** Processors, in the words of Debian and of container images. */
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

export class Builder {
  readonly #options: BuildOptions;
  readonly #store: LayerStore;
  readonly #debian: Debian;
  readonly #architecture: string;
  /** What several images share is made once. */
  readonly #layers = new Map<string, Promise<Layer>>();
  readonly #recipes = new Map<string, Promise<Recipe>>();

  constructor(options: BuildOptions) {
    this.#options = options;
    this.#store = new LayerStore(join(options.cache, "layers"), sourceHash());
    this.#debian = new Debian({ cache: join(options.cache, "debian"), env: options.env, signal: options.signal });
    this.#architecture = architectures[process.arch] ?? process.arch;
  }

  async build(name: ImageName): Promise<Built> {
    const { registry, version, cache } = this.#options;
    const out = join(cache, "archives");
    const plan = plans[name];
    const layers = await Promise.all((await this.#recipesOf(name)).map(async (recipe) => await this.#layer(recipe)));
    const described = describeImage({ plan, version, layers, architecture: this.#architecture });
    const reference = `${registry}/copepod/${name}:${version}`;
    const base = join(out, `${name}-${version}`);
    const [archive, bill] = [`${base}.tar`, `${base}.cdx.json`];
    const made = `${reference} ${described.digest}\n`;
    if (!existsSync(archive) || (await readFile(`${base}.made`, "utf8").catch(() => "")) !== made) {
      await mkdir(out, { recursive: true });
      await writeArchive(archive, { described, layers, reference }, this.#store);
      const packages = layers.flatMap(({ packages }) => packages);
      const { digest } = described;
      await writeFile(bill, billOfMaterials({ name: `copepod/${name}`, version, digest, packages }));
      await writeFile(`${base}.made`, made);
    }
    const sum = (pick: (layer: Layer) => number) => layers.reduce((total, layer) => total + pick(layer), 0);
    const bytes = sum((layer) => layer.bytes);
    const plainBytes = sum((layer) => layer.plainBytes);
    return { name, reference, digest: described.digest, archive, billOfMaterials: bill, bytes, plainBytes, layers };
  }

  /** Files of an image's layers, from the lowest to the highest. */
  async layerFiles(name: ImageName): Promise<string[]> {
    const layers = (await this.#recipesOf(name)).map(async (recipe) => this.#store.pathOf(await this.#layer(recipe)));
    return await Promise.all(layers);
  }

  /** Writes down the Debian packages of today. */
  async lock(): Promise<void> {
    for (const name of rootNames) {
      const packages = await lockOf(name, this.#debian);
      await writeFile(this.#lockFile(name), formatLock(packages));
      this.#options.say(`${name}: ${packages.length} packages of Debian`);
    }
  }

  /** What changes most often comes last, so that what is below stays the same. */
  async #recipesOf(name: ImageName): Promise<Recipe[]> {
    const { root, harness, program } = plans[name];
    const { repository, version } = this.#options;
    const recipes = [
      this.#recipe(`root ${root}`, async () => await this.#rootRecipe(root)),
      this.#recipe("node", nodeRecipe),
      ...(harness
        ? [
            this.#recipe(
              harness,
              async () => await harnessRecipe(harness, { ...this.#options, installed: this.#options.harnesses }),
            ),
          ]
        : []),
      this.#recipe(program.main, async () => await programRecipe(repository, program, version)),
    ];
    return await Promise.all(recipes);
  }

  #recipe(key: string, make: () => Promise<Recipe>): Promise<Recipe> {
    const known = this.#recipes.get(key) ?? make();
    this.#recipes.set(key, known);
    return known;
  }

  async #layer(recipe: Recipe): Promise<Layer> {
    const key = JSON.stringify([recipe.title, ...recipe.key]);
    const known = this.#layers.get(key) ?? this.#store.get(recipe, (title) => this.#options.say(`making ${title}`));
    this.#layers.set(key, known);
    return await known;
  }

  async #rootRecipe(name: RootName): Promise<Recipe> {
    const { cache } = this.#options;
    const packages = await this.#packagesOf(name);
    return rootRecipe(name, {
      debian: this.#debian,
      packages,
      work: join(cache, "work"),
      architecture: this.#architecture,
    });
  }

  async #packagesOf(name: RootName): Promise<Locked[]> {
    const file = this.#lockFile(name);
    const locked = existsSync(file) ? parseLock(await readFile(file, "utf8")) : [];
    if (locked.length === 0)
      throw new CopepodError("notFound", `${file} is missing; \`npm run images -- lock\` writes it`);
    return this.#options.unlocked ? await this.#lockedOrCurrent(name, locked) : locked;
  }

  async #lockedOrCurrent(name: RootName, locked: readonly Locked[]): Promise<Locked[]> {
    try {
      await this.#debian.fetch(locked);
      return [...locked];
    } catch (error) {
      if (codeOf(error) !== "notFound") throw error;
    }
    const current = await lockOf(name, this.#debian);
    const other = current.filter(({ sha256 }) => !locked.some((each) => each.sha256 === sha256));
    const names = other.map(({ name, version }) => `${name} ${version}`).join(", ");
    this.#options.say(`not as locked, so the digests of images differ: ${names}`);
    return current;
  }

  #lockFile(name: RootName): string {
    return join(this.#options.repository, "images", "locks", `${name}-${this.#architecture}.lock`);
  }
}
