import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { writeImageArchive } from "./archive.ts";

/** Its host is this machine, so a node on which it is missing asks nobody else for it. */
export const pauseImage = { name: "localhost/pause", tag: "1" };
export const busyboxImage = { name: "localhost/busybox", tag: "1" };

/**
 * The image of every pod's sandbox.
 * @param binary the program of `binaries/pause`
 * @returns the path of the archive, in the folder
 */
export async function writePauseImage(binary: string, folder: string): Promise<string> {
  return writeImageArchive(
    { ...pauseImage, files: { "/pause": binary }, entrypoint: ["/pause"], user: "65535" },
    folder,
  );
}

/**
 * A shell and small tools, for tests and for the volumes' helper pods. Its `wget` crashes on host names (a static C library
 * can't look them up); `nc`, `nslookup` and `httpd` work.
 * @param binary of Debian's `busybox-static`
 * @returns the path of the archive, in the folder
 */
export async function writeBusyboxImage(binary: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const root = await mkdtemp(join(folder, ".busybox-"));
  try {
    await Promise.all(["bin", "etc", "tmp"].map((name) => mkdir(join(root, name))));
    await chmod(join(root, "tmp"), 0o1777);
    await copyFile(binary, join(root, "bin/busybox"));
    await linkTools(binary, join(root, "bin"));
    return await writeImageArchive(
      { ...busyboxImage, files: { "/": root }, entrypoint: [], env: { PATH: "/bin" } },
      folder,
    );
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function linkTools(binary: string, folder: string): Promise<void> {
  const { stdout } = await promisify(execFile)(binary, ["--list"]);
  const tools = stdout.split("\n").filter((tool) => tool !== "" && tool !== "busybox");
  await Promise.all(tools.map((tool) => symlink("busybox", join(folder, tool))));
}
