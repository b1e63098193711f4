import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";

/** Where programs for root are, also when they are not on the PATH of a person. */
const systemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** Folders with programs: those of a PATH, and those for root. */
export const programFolders = (path = ""): string[] => [...path.split(delimiter), ...systemFolders];

/** @returns the first one, as a shell would take it */
export async function findExecutable(name: string, folders: readonly string[]): Promise<string | undefined> {
  for (const folder of folders.filter((folder) => folder !== "")) {
    const path = join(folder, name);
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}
