import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A small repository for one test; gone at the end of the block that holds it. */
export function plantRepository(files: Readonly<Record<string, string>>): Disposable & { readonly root: string } {
  const root = mkdtempSync(join(tmpdir(), "copepod-planted-"));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true }) };
}

/** Manifests of the root and of workspaces, by folder; a name is `@copepod/` and the folder with dashes. */
export function manifests(...folders: string[]): Record<string, string> {
  const own = folders.map((folder) => [
    `${folder}/package.json`,
    JSON.stringify({ name: `@copepod/${folder.replaceAll("/", "-")}` }),
  ]);
  return { "package.json": JSON.stringify({ name: "root", workspaces: folders }), ...Object.fromEntries(own) };
}
