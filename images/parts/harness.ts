import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type HarnessName, harnessFolder, harnessSource } from "@copepod/agent-image/harnesses/harness";
import { installHarness } from "@copepod/cli/harness/install";
import { z } from "zod";
import { readTree } from "../layers/entries.ts";
import { type Recipe, sha256 } from "../layers/layer.ts";
import { npmPackage } from "./programs.ts";

/** Folder of harnesses in images. */
export const harnessesDir = "/opt/harnesses";

/** npm's own notes, which differ between its versions, and what only compilers read. */
const unwanted = /(^|\/)(\.bin|\.package-lock\.json|.*\.(d\.[cm]?ts|map))(\/|$)/;

/** What of a harness is used here, below its folder. The rest is a third of it and more. */
const used: Readonly<Record<HarnessName, RegExp>> = {
  // Its own bundle and its program; what it depends on is in these, or is for those who write tools with it.
  claude: /^node_modules\/@anthropic-ai\/claude-agent-sdk/,
  // Nobody speaks with it.
  codex: /^node_modules\/@openai\/codex-(?!.*\/codex-resources\/voice)/,
  opencode: /^node_modules\//,
};

const lockSchema = z.object({ packages: z.record(z.string(), z.object({ version: z.string().optional() })) });

export interface HarnessOptions {
  /** Where harnesses are installed on this machine; may be that of `copepod provider add`. */
  readonly installed: string;
  readonly env: NodeJS.ProcessEnv;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export async function harnessRecipe(name: HarnessName, options: HarnessOptions): Promise<Recipe> {
  const { env, say, signal } = options;
  const lock = await readFile(join(harnessSource(name), "package-lock.json"), "utf8");
  return {
    title: `harness ${name}`,
    key: [process.arch, sha256(lock)],
    async make() {
      await installHarness(name, { harnessesDir: options.installed, env, say, signal });
      const folder = harnessFolder(options.installed, name);
      const home = join(harnessesDir, basename(folder)).slice(1);
      const isWanted = (path: string) => used[name].test(path) && !unwanted.test(path);
      const entries = await readTree(folder, (path) => (isWanted(path) ? join(home, path) : undefined));
      const kept = new Set(entries.map(({ path }) => path));
      const packages = Object.entries(lockSchema.parse(JSON.parse(lock)).packages).flatMap(([path, { version }]) =>
        version === undefined || !kept.has(join(home, path))
          ? []
          : [npmPackage(path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length), version)],
      );
      return { entries, packages };
    },
  };
}
