import { execFile } from "node:child_process";
import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What an agent may put in the place of a file or folder of Copepod. */
export const obstacles: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  "a named pipe": async (path) => await run("mkfifo", [path]),
  "a folder": async (path) => {
    await mkdir(path);
    await writeFile(join(path, "inner"), "something");
  },
  "a link to /dev/zero": async (path) => await symlink("/dev/zero", path),
  "a link to nowhere": async (path) => await symlink("nowhere", path),
  "a link to itself": async (path) => await symlink(path, path),
};

/** Replaces what lies there. */
export async function plant(path: string, obstacle: (path: string) => Promise<unknown>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { recursive: true, force: true });
  await obstacle(path);
}
