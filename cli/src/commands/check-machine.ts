import { constants, existsSync } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Finding } from "./finding.ts";

const minimumNodeMajor = 26;
const minimumFreeBytes = 512 * 1024 * 1024;

/** Numbers of file systems that are reached over a network, where SQLite's locks do not hold. */
const networkFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x01021997, "9P"],
  [0x5346414f, "AFS"],
  [0x00c36400, "Ceph"],
]);

export function checkNode(version: string): Finding {
  const isEnough = Number(version.split(".")[0]) >= minimumNodeMajor;
  if (isEnough) return { check: "node", state: "ok", detail: version };
  const cure = "Run it by `npm start` or `npx copepod`, which bring the Node that Copepod needs.";
  return { check: "node", state: "bad", detail: `${version} is older than ${minimumNodeMajor}`, cure };
}

export async function checkHome(home: string): Promise<Finding[]> {
  const existing = nearestExisting(home);
  try {
    await access(existing, constants.W_OK);
  } catch (error) {
    const cure = "Give yourself the right to write there, or set COPEPOD_HOME (or --home) to another folder.";
    return [
      {
        check: "home",
        state: "bad",
        detail: `${home} can't be written: ${error instanceof Error ? error.message : error}`,
        cure,
      },
    ];
  }
  const { type, bavail, bsize } = await statfs(existing);
  return [{ check: "home", state: "ok", detail: home }, checkFileSystem(type), checkRoom(bavail * bsize)];
}

/** The folder itself, or the one in which it would be made. */
function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path));
}

export function checkFileSystem(type: number): Finding {
  const name = networkFileSystems.get(type);
  if (name === undefined) return { check: "file system", state: "ok", detail: "local" };
  const cure = "Set COPEPOD_HOME (or --home) to a folder on a local disk.";
  return { check: "file system", state: "bad", detail: `${name}: SQLite would lose data there`, cure };
}

export function checkRoom(freeBytes: number): Finding {
  const detail = `${Math.floor(freeBytes / 1024 / 1024)} MiB free`;
  if (freeBytes >= minimumFreeBytes) return { check: "disk", state: "ok", detail };
  return { check: "disk", state: "bad", detail, cure: "Make room on the disk of COPEPOD_HOME." };
}
