import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { environment } from "@copepod/core/environment";
import { CopepodError } from "@copepod/core/errors";
import { ExitError } from "../exit-codes.ts";

/**
 * Makes a folder with all above it, one by one: where the system lets nobody make any, as in `/proc`, Node's own
 * recursion never ends.
 */
export async function makeFolder(folder: string, mode = 0o777): Promise<void> {
  if (await isFolder(folder)) return;
  const parent = dirname(folder);
  if (parent !== folder) await makeFolder(parent, mode);
  await mkdir(folder, { mode }).catch(async (error: unknown) => {
    if (!(await isFolder(folder))) throw error;
  });
}

/**
 * Does work that writes below the home.
 * @throws CopepodError `invalid` naming the path that can't be written, in place of a fault of the file system
 */
export async function writingHome<T>(home: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toSentence(home, error);
  }
}

function toSentence(home: string, error: unknown): unknown {
  if (error instanceof CopepodError || !(error instanceof Error)) return error;
  const code = "code" in error ? String(error.code) : "";
  if (!/^(E[A-Z0-9]+|ERR_SQLITE_ERROR)$/.test(code)) return error;
  const path = "path" in error ? String(error.path) : home;
  const why = code === "ERR_SQLITE_ERROR" ? error.message : code;
  return new ExitError("failure", "invalid", {
    message: `${path} can't be made or written (${why}); the home is ${home}`,
    cure: `Name another folder with \`--home\` or ${environment.home}, or make this one writable for you.`,
  });
}

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
