import { mkdir, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/**
 * A ConfigMap, Secret or token volume as the kubelet writes it: all files in a folder of their own, behind one symbolic
 * link that is replaced in one step. Paths that people see are links through that one. Does without the file modes.
 */
export class KubeletVolume {
  readonly path: string;
  #writes = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** @param files content by path below the volume */
  async write(files: Readonly<Record<string, string>>): Promise<void> {
    const folder = `..2026_11_25_10_00_00.${this.#writes++}`;
    const data = join(this.path, "..data");
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(this.path, folder, path)), { recursive: true });
      await writeFile(join(this.path, folder, path), text);
    }
    const old = await readlink(data).catch(() => undefined);
    await symlink(folder, `${data}_tmp`);
    await rename(`${data}_tmp`, data);
    const seen = new Set(Object.keys(files).map((path) => path.split("/")[0] ?? ""));
    for (const name of seen) await symlink(join("..data", name), join(this.path, name)).catch(() => undefined);
    if (old !== undefined) await rm(join(this.path, old), { recursive: true });
  }
}
