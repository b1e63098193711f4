import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { harnessNames, harnessSource } from "@copepod/agent-image/harnesses/harness";
import { CopepodError } from "@copepod/core/errors";
import { build, type Metafile, type Plugin } from "esbuild";
import { z } from "zod";
import { type Entry, readTree, text } from "../layers/entries.ts";
import { type Package, type Recipe, sha256 } from "../layers/layer.ts";
import { leanBundle } from "./lean-bundle.ts";

/** Where a program lies in its image: bundles in `program/`, and beside it what they look for one folder up. */
const home = "opt/copepod";
export const mainFile = `/${home}/program/main.js`;

export interface Program {
  /** Below the repository. */
  readonly main: string;
  /** Files that it starts as threads: they become bundles of their own beside `main`. */
  readonly threads?: readonly string[];
  /** Packages that can't be bundled, because they load native code. */
  readonly native?: readonly "better-sqlite3"[];
  /** Whether it looks for the locks of harnesses beside its code: they name the folders of installed harnesses. */
  readonly hasHarnesses?: boolean;
}

const packageSchema = z.object({ name: z.string(), version: z.string() });

/** Bundles the program: that is what tells whether anything has changed. */
export async function programRecipe(root: string, program: Program, version: string): Promise<Recipe> {
  if (!existsSync(join(root, program.main))) throw new CopepodError("notFound", `${program.main} is missing`);
  const { outputFiles, metafile } = await bundle(root, program);
  const name = dirname(program.main).split("/")[0] ?? "";
  const entries: Entry[] = [
    ...outputFiles.map(({ path, contents }) => text(`${home}/program/${basename(path)}`, contents)),
    text(`${home}/package.json`, `${JSON.stringify({ name: `copepod-${name}`, version, type: "module" })}\n`),
    ...(program.hasHarnesses ? await harnessLocks() : []),
  ];
  const native = await Promise.all((program.native ?? []).map(nativePackage));
  const packages = [...bundledPackages(root, metafile), ...native.map(({ made }) => made)];
  const content = entries.map(({ path, ...entry }) =>
    entry.kind === "file" && "bytes" in entry.content ? `${path} ${sha256(entry.content.bytes)}` : path,
  );
  return {
    title: `program ${name}`,
    key: [...content, ...(await Promise.all(packages)).map(({ purl }) => purl)],
    make: async () => ({
      entries: [...entries, ...native.flatMap(({ entries }) => entries)],
      packages: await Promise.all(packages),
    }),
  };
}

async function bundle(root: string, { main, threads = [], native = [] }: Program) {
  const threadNames = threads.map((thread) => basename(thread, ".ts"));
  return await build({
    absWorkingDir: root,
    entryPoints: [{ in: main, out: "main" }, ...threads.map((path) => ({ in: path, out: basename(path, ".ts") }))],
    outdir: join(root, "program"),
    write: false,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node26",
    // Names stay: they are in the stack traces of logs.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    banner: { js: leanBundle.banner },
    external: [...native],
    plugins: [...leanBundle.plugins, threadFiles(threadNames)],
    metafile: true,
    logLevel: "silent",
  });
}

/** Threads are named by the file that is their source: here they are the bundle of the same name. */
const threadFiles = (known: readonly string[]): Plugin => ({
  name: "thread-files",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const contents = source.replaceAll(/new URL\("\.\/([^"]+)\.ts", import\.meta\.url\)/g, (_, name: string) => {
        if (!known.includes(name))
          throw new Error(`${path} starts ${name}.ts, of which images/catalogue.ts knows nothing`);
        return `new URL("./${name}.js", import.meta.url)`;
      });
      return { contents, loader: "ts" };
    });
  },
});

const packageFolder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;

function bundledPackages(root: string, { inputs }: Metafile): Promise<Package>[] {
  const folders = Object.keys(inputs).flatMap((path) => packageFolder.exec(path)?.[1] ?? []);
  return [...new Set(folders)].sort().map(async (folder) => await describe(join(root, folder)));
}

async function describe(folder: string): Promise<Package> {
  const { name, version } = packageSchema.parse(JSON.parse(await readFile(join(folder, "package.json"), "utf8")));
  return npmPackage(name, version);
}

/** By the rules of package URLs, the `@` of a scope is encoded. */
export const npmPackage = (name: string, version: string): Package => ({
  purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
  name,
  version,
});

/** What of the package is used on Linux with this processor. */
async function nativePackage(name: string): Promise<{ entries: readonly Entry[]; made: Promise<Package> }> {
  const folder = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  const wanted = new RegExp(`^(package\\.json|LICENSE|lib(/.*)?|prebuilds/linux-${process.arch}\\.node)$`);
  const place = (path: string) => (wanted.test(path) ? `${home}/node_modules/${name}/${path}` : undefined);
  const entries = await readTree(folder, place);
  if (entries.some(({ path }) => path.endsWith(".node"))) return { entries, made: describe(folder) };
  throw new CopepodError("notFound", `${name} has no native code for Linux on ${process.arch}`);
}

async function harnessLocks(): Promise<Entry[]> {
  const locks = harnessNames.map(async (name) => {
    const lock = await readFile(join(harnessSource(name), "package-lock.json"));
    return text(`${home}/program/${name}/package-lock.json`, lock);
  });
  return await Promise.all(locks);
}
