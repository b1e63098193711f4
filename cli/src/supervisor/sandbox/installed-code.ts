import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Folders with the code that a session's processes run, wherever npm has put it. */
export function installedCode(): readonly string[] {
  const runner = fileURLToPath(import.meta.resolve("@copepod/agent-image/runner/main"));
  const core = fileURLToPath(import.meta.resolve("@copepod/core/errors"));
  return [dirname(dirname(runner)), dirname(dirname(core)), packagesOf(fileURLToPath(import.meta.resolve("zod")))];
}

/** The folder `node_modules` in which a package was installed. */
function packagesOf(file: string): string {
  const folder = join("/", "node_modules", "/");
  return file.slice(0, file.lastIndexOf(folder) + folder.length - 1);
}
