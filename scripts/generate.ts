import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { generateAll } from "./generators/all.ts";
import { repositoryRoot } from "./repository.ts";

for (const [path, content] of await generateAll(repositoryRoot)) {
  await mkdir(dirname(join(repositoryRoot, path)), { recursive: true });
  await writeFile(join(repositoryRoot, path), content);
  process.stdout.write(`${path}\n`);
}
