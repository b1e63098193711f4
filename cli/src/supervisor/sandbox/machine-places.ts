import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { HomeLayout, RunLayout } from "../../home/layout.ts";
import { systemMounts } from "./system-mounts.ts";
import type { MachinePlaces } from "./view.ts";

/** What all sessions of a home see, and what none does. */
export const machinePlaces = (home: HomeLayout, run: RunLayout, harnessesDir: string): MachinePlaces => ({
  name: basename(run.folder),
  system: systemMounts(),
  readable: [process.execPath, ...installedCode(), harnessesDir],
  hidden: [home.home, run.folder],
  runnerCache: home.runnerCache,
});

/** Folders with the code that a session's processes run, wherever npm has put it. */
function installedCode(): readonly string[] {
  const runner = fileURLToPath(import.meta.resolve("@copepod/agent-image/runner/main"));
  const core = fileURLToPath(import.meta.resolve("@copepod/core/errors"));
  return [dirname(dirname(runner)), dirname(dirname(core)), packagesOf(fileURLToPath(import.meta.resolve("zod")))];
}

/** The folder `node_modules` in which a package was installed. */
function packagesOf(file: string): string {
  const folder = join("/", "node_modules", "/");
  return file.slice(0, file.lastIndexOf(folder) + folder.length - 1);
}
