import { statfs } from "node:fs/promises";
import { CopepodError } from "@copepod/core/errors";

/** Linux's numbers of file systems that several machines share, or that a process serves: no shared memory, weak locks. */
const networkTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x65735546, "FUSE"],
  [0x0bd00bd0, "Lustre"],
  [0x01021997, "9p"],
  [0x00c36400, "Ceph"],
  [0x47504653, "GPFS"],
  [0x19830326, "BeeGFS"],
  [0x5346414f, "AFS"],
  [0x6b414653, "AFS"],
  [0x73757245, "Coda"],
  [0x564c, "NCP"],
  [0x7461636f, "OCFS2"],
  [0x01161970, "GFS2"],
  [0x786f4256, "VirtualBox shared folder"],
  [0xbacbacbc, "VMware shared folder"],
]);

export type StatFs = (path: string) => Promise<{ readonly type: number }>;

/** @throws CopepodError networkFileSystem. Other systems than Linux number their file systems differently: not checked. */
export async function refuseNetworkFileSystem(
  folder: string,
  { platform = process.platform, stat = statfs }: { readonly platform?: NodeJS.Platform; readonly stat?: StatFs },
): Promise<void> {
  if (platform !== "linux") return;
  const { type } = await stat(folder);
  const name = networkTypes.get(type >>> 0);
  if (name === undefined) return;
  throw new CopepodError(
    "networkFileSystem",
    `${folder} lies on ${name}, where SQLite loses data. The queue needs a local disk.`,
  );
}
