import type { Stats } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";

/** A file, folder or link of an image. All belong to root, and have no time. */
export type Entry = {
  /** Below the root, without a slash at its beginning. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
} & (
  | { readonly kind: "folder" }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "file"; readonly content: Content }
);

/** Bytes, or where they lie on this machine. */
export type Content = { readonly bytes: Uint8Array } | { readonly source: string };

const folderMode = 0o755;
const fileMode = 0o644;
const programMode = 0o755;

export const folder = (path: string, mode = folderMode): Entry => ({ kind: "folder", path, mode });
export const link = (path: string, target: string): Entry => ({ kind: "link", path, mode: 0o777, target });
export const file = (path: string, source: string, mode = fileMode): Entry => ({
  kind: "file",
  path,
  mode,
  content: { source },
});
export const program = (path: string, source: string): Entry => file(path, source, programMode);
export const text = (path: string, content: string | Uint8Array, mode = fileMode): Entry => ({
  kind: "file",
  path,
  mode,
  content: { bytes: typeof content === "string" ? Buffer.from(content) : content },
});

/**
 * Everything below a folder of this machine. Modes say only what can be executed, so that neither the umask of who
 * unpacked it nor a set-user-id bit gets into an image.
 * @param place where it is in the image, or undefined for what is not wanted there
 */
export async function readTree(root: string, place: (path: string) => string | undefined): Promise<Entry[]> {
  const read = async (path: string): Promise<Entry[]> => {
    const source = join(root, path);
    const stats = await lstat(source);
    const target = place(path);
    const own = target === undefined ? [] : [await readEntry(target, source, stats)];
    // Links are not followed: they may lead out of the folder, to files of this machine.
    return stats.isDirectory() ? [...own, ...(await readAll(path))] : own;
  };
  const readAll = async (path: string): Promise<Entry[]> => {
    const names = await readdir(join(root, path));
    return (await Promise.all(names.map(async (name) => await read(join(path, name))))).flat();
  };
  return await readAll("");
}

async function readEntry(target: string, source: string, stats: Stats): Promise<Entry> {
  if (stats.isSymbolicLink()) return link(target, await readlink(source));
  if (stats.isDirectory()) return folder(target);
  return (stats.mode & 0o100) === 0 ? file(target, source) : program(target, source);
}
