import { execFileSync } from "node:child_process";
import { chmodSync, lchownSync, lstatSync, mkdirSync } from "node:fs";
import { CopepodError } from "@copepod/core/errors";
import { firstId, type Identity, workspaceGroup } from "./identity.ts";

export interface AgentFolders {
  readonly workspace: string;
  readonly agentDir: string;
  readonly team: readonly { readonly name: string; readonly path: string }[];
}

const sessionMode = 0o700;
/** What is made in it belongs to the group. */
const groupMode = 0o2770;

/** Makes the folders if they are missing. Nothing below them is touched: it is the agent's, and may be hostile. */
export function makeFolders(folders: AgentFolders): void {
  for (const folder of pathsOf(folders)) mkdirSync(folder, { recursive: true, mode: sessionMode });
}

/**
 * Gives the folders, with all that is in them, to the session and its group. Done once: the top folder changes its owner
 * last, so that a half-done tree is done again, and a done one costs a look. So long nobody of the new owner can enter.
 * Only root can do it. No symbolic link is followed, and `chown` walks by open folders, not by paths.
 */
export function giveFolders({ workspace, agentDir, team }: AgentFolders, { uid, gid }: Identity): void {
  if (ownFolder(workspace).uid !== uid) {
    execFileSync("chown", ["-hRP", `${uid}:${gid}`, workspace]);
    chmodSync(workspace, sessionMode);
  }
  giveToGroup(agentDir, gid);
  for (const { name, path } of team) giveToGroup(path, workspaceGroup(name));
}

function giveToGroup(path: string, gid: number): void {
  if (ownFolder(path).gid === gid) return;
  execFileSync("chmod", ["-R", "g+rwX", path]);
  execFileSync("chown", ["-hRP", `0:${gid}`, path]);
  chmodSync(path, groupMode);
}

/** Takes the top folders back: what is made without a sandbox is root's, and has to be given again with the next one. */
export function takeFoldersBack(folders: AgentFolders): void {
  for (const folder of pathsOf(folders)) {
    if (ownFolder(folder).gid >= firstId) lchownSync(folder, 0, 0);
  }
}

const pathsOf = ({ workspace, agentDir, team }: AgentFolders): readonly string[] => [
  workspace,
  agentDir,
  ...team.map(({ path }) => path),
];

function ownFolder(path: string): Identity {
  const found = lstatSync(path);
  if (found.isDirectory()) return found;
  throw new CopepodError("invalid", `${path} is not a folder; move it away`);
}
