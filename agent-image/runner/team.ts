import { access, constants, readdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * What the agent is told of the workspaces that its group shares with others; empty where there are none.
 * @param teamDir one folder per workspace
 */
export async function describeTeam(teamDir: string | undefined): Promise<string> {
  const folders = teamDir === undefined ? [] : await foldersIn(teamDir);
  if (folders.length === 0) return "";
  const lines = await Promise.all(
    folders.map(async (path) => `- ${path}: ${(await isWritable(path)) ? "you may change it" : "read-only"}`),
  );
  return `# Shared folders\n\nOther agents see these too; what you write there, they read.\n\n${lines.join("\n")}\n`;
}

async function foldersIn(teamDir: string): Promise<string[]> {
  const entries = await readdir(teamDir, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(teamDir, name))
    .sort();
}

const isWritable = async (path: string): Promise<boolean> =>
  await access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
