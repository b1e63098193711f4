import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { CopepodError } from "@copepod/core/errors";
import { z } from "zod";
import { program, text } from "../layers/entries.ts";
import type { Recipe } from "../layers/layer.ts";
import { withoutSymbols } from "./elf.ts";

const manifestSchema = z.object({ version: z.string() });

/** Node's binary of npm's package for this processor, which the lock of the repository pins. */
export async function nodeRecipe(): Promise<Recipe> {
  const name = `node-linux-${process.arch}`;
  const folder = findPackage(name);
  const { version } = manifestSchema.parse(JSON.parse(await readFile(join(folder, "package.json"), "utf8")));
  return {
    title: `Node ${version}`,
    key: [name, version],
    make: async () => ({
      entries: [
        {
          ...program("usr/local/bin/node", ""),
          content: { bytes: withoutSymbols(await readFile(join(folder, "bin/node"))) },
        },
        text("usr/share/doc/node/LICENSE", await readFile(join(folder, "LICENSE"))),
      ],
      packages: [{ purl: `pkg:generic/node@${version}`, name: "node", version }],
    }),
  };
}

function findPackage(name: string): string {
  try {
    return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
  } catch (cause) {
    throw new CopepodError("notFound", `the package ${name} is missing; \`npm ci\` installs it`, { cause });
  }
}
