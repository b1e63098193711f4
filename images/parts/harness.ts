import { existsSync } from "node:fs";
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

/** npm's own notes, which differ between its versions, and what only compilers and people read. */
const unwanted = /(^|\/)(\.package-lock\.json|.*\.(d\.[cm]?ts|map))$/;

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
      const entries = await readTree(folder, (path) => (unwanted.test(path) ? undefined : join(home, path)));
      const packages = Object.entries(lockSchema.parse(JSON.parse(lock)).packages).flatMap(([path, { version }]) =>
        path === "" || version === undefined || !existsSync(join(folder, path))
          ? []
          : [npmPackage(path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length), version)],
      );
      return { entries, packages };
    },
  };
}
